"""The mappings of public data sets, on rows of the right shape that are made here."""

import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.data import mapped_rows, mappings
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading, UnitEvent
from stormwatch.parsing.mapping import presets
from stormwatch.records import Rejection
from tests.models.in_turn import in_turn

_TEP = [f"  {n % 7}.{n:02}00000e-0{n % 3}" for n in range(52)]
_CMAPSS = (
    "1 {} -0.0007 -0.0004 100.0 518.67 641.82 1589.70 1400.60 14.62 21.61 554.36 2388.06 "
    "9046.19 1.30 47.47 521.66 2388.02 8138.62 8.4195 0.03 392 2388 100.00 39.06 23.4190  \n"
)
_V = ",".join(f'"V{n}"' for n in range(1, 29))
_METRO = (
    "TP2,TP3,H1,DV_pressure,Reservoirs,Oil_temperature,Motor_current,COMP,DV_eletric,Towers,"
    "MPG,LPS,Pressure_switch,Oil_level,Caudal_impulses"
)

ROWS = {
    "handbook": "tx_id,t,customer,terminal,amount,fraud,scenario\n0,31,596,3156,57.16,0,0\n",
    "sparkov": (
        ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,"
        "zip,lat,long,city_pop,job,dob,trans_num,unix_time,merch_lat,merch_long,is_fraud\n"
        '0,2019-01-01 00:00:18,4111111111111111,"fraud_Rippin, Kub",misc_net,4.97,A,B,F,1 Road,'
        "C,NC,28654,36.07,-81.17,3495,Clerk,1988-03-09,0b242abb623afc57,1325376018,36.01,"
        "-82.04,0\n"
    ),
    "sparkov-generator": (
        "cc_num|acct_num|lat|long|trans_num|trans_date|trans_time|unix_time|category|amt|is_fraud|"
        "merchant|merch_lat|merch_long\n"
        "4111111111111111|123|39.5|-75.6|04e9|2012-01-01|00:08:01|1325376481|gas|83.15|0|"
        "Kling Inc|40.3|-76.0\n"
    ),
    "paysim": (
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,"
        "newbalanceDest,isFraud,isFlaggedFraud\n"
        "1,PAYMENT,9839.64,C1231006815,170136.0,160296.36,M1979787155,0.0,0.0,0,0\n"
    ),
    "ulb": f'"Time",{_V},"Amount","Class"\n0,{",".join(["-1.3598071336738"] * 28)},149.62,"0"\n',
    "ieee-cis": (
        "TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,addr1\n"
        "2987000,0,86400,68.5,W,13926,,150.0,315.0\n2987009,0,86536,37.098,C,9500,321.0,150.0,\n"
    ),
    "cmapss": _CMAPSS.format(1) + _CMAPSS.format(2),
    "n-cmapss": (
        "unit,cycle,Fc,hs,alt,Mach,TRA,T2,T24,T30,T48,T50,P15,P2,P21,P24,Ps30,P40,P50,Nf,Nc,Wf\n"
        "2.0,1.0,3.0,1.0,10004.0,0.449757,77.87,498.3,605.9,1423.5,1842.3,1252.4,15.3,11.8,15.5,"
        "18.9,316.9,321.1,11.4,2105.9,8705.1,3.85\n"
    ),
    "ai4i": (
        "UDI,Product ID,Type,Air temperature [K],Process temperature [K],Rotational speed [rpm],"
        "Torque [Nm],Tool wear [min],Machine failure,TWF,HDF,PWF,OSF,RNF\n"
        "1,M14860,M,298.1,308.6,1551,42.8,0,0,0,0,0,0,0\n"
    ),
    "azure-pdm-telemetry": (
        "datetime,machineID,volt,rotate,pressure,vibration\n"
        "2015-01-01 06:00:00,1,176.217853015625,418.504078221616,113.077935462083,45.08\n"
    ),
    "azure-pdm-errors": "datetime,machineID,errorID\n2015-01-03 07:00:00,1,error1\n",
    "azure-pdm-maintenance": "datetime,machineID,comp\n2014-06-01 06:00:00,1,comp2\n",
    "azure-pdm-failures": "datetime,machineID,failure\n2015-01-05 06:00:00,1,comp4\n",
    "metropt3": (
        f",timestamp,{_METRO}\n"
        "0,2020-02-01 00:00:00,-0.012,9.358,9.34,-0.024,9.358,53.6,0.04,1.0,0.0,1.0,1.0,0.0,1.0,1."
        "0,1.0\n"
    ),
    "skab": (
        "datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;"
        "Voltage;Volume Flow RateRMS;anomaly;changepoint\n"
        "2020-03-09 10:14:33;0.0265;0.0401;1.3302;0.054711;79.3366;26.0199;233.062;32.0;0.0;0.0\n"
    ),
    "nab": "timestamp,value\n2014-07-01 00:00:00,10844\n2014-07-01 00:30:00,8127.5\n",
    "tep": "".join(_TEP) + "\n" + "".join(_TEP) + "\n",
    "thingsboard": (
        '{"deviceName":"Pump 7","ts":1767225600000,"values":{"temperature":42.5,"state":"on",'
        '"rpm":"1480"}}\n'
    ),
    "sparkplug": (
        '{"device":"pump7","timestamp":1767225600000,"seq":3,"metrics":[{"name":"temp","value":42.5,'
        '"dataType":"Float"},{"name":"on","value":true},{"name":"rpm","value":1480}]}\n'
    ),
}  # fmt: skip
HEADLESS = {"cmapss", "tep", "thingsboard", "sparkplug"}
SAID: dict[str, dict[str, Any]] = {
    "ulb": {"amount": 14962, "currency": "EUR"},
    "ieee-cis": {"amount": 6850, "customer": "card-13926", "terminal": "product-W"},
    "sparkov-generator": {"customer": "123", "amount": 8315, "time": 1325376481000},
    "cmapss": {"unit": "cmapss/1/1", "cycle": 1, "settings": (-0.0007, -0.0004, 100.0)},
    "n-cmapss": {"cycle": 1, "unit": "n-cmapss-2.0"},
    "ai4i": {"cycle": 1, "id": "1"},
    "azure-pdm-errors": {"sensors": {"error": 1.0}, "unit": "machine-1"},
    "azure-pdm-failures": {"event": UnitEvent("failure", words="comp4"), "unit": "machine-1"},
    "azure-pdm-maintenance": {"event": UnitEvent("maintenance", words="comp2")},
    "tep": {"time": 946684980000},
    "nab": {"sensors": {"value": 10844.0}, "time": 1404172800000},
    "skab": {"time": 1583738073000},
    "thingsboard": {"sensors": {"temperature": 42.5, "rpm": 1480.0}},
    "sparkplug": {"sensors": {"temp": 42.5, "rpm": 1480.0}, "unit": "pump7"},
}
SENSORS = {"cmapss": 21, "n-cmapss": 14, "ai4i": 6, "azure-pdm-telemetry": 4, "metropt3": 15,
           "skab": 8, "tep": 52}  # fmt: skip


def made_of(preset: str, path: Path) -> mappings.Outcome:
    mapped, _ = mappings.ready(f"preset:{preset}")
    return mappings.applied(mapped, mapped_rows.values(path, mapped.csv))


@pytest.mark.parametrize("preset", presets())
def test_each_preset_takes_rows_of_its_shape(preset: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(ROWS[preset])
    made = made_of(preset, path)
    assert not made.refused, made.examples
    assert made.rows == ROWS[preset].count("\n") - (preset not in HEADLESS)
    first = msgspec.structs.asdict(made.events[0])
    assert {name: first[name] for name in SAID.get(preset, {})} == SAID.get(preset, {})
    assert len(first.get("sensors", ())) == SENSORS.get(preset, len(first.get("sensors", ())))


def decided(events: list[Any]) -> Counter[str]:
    """Outcome -> events, decided one batch after the other."""
    domain: Any = Maintenance.load() if isinstance(events[0], Reading) else Fraud.load()
    return Counter(verdict.outcome for _, _, verdict in in_turn(domain, events))


@pytest.mark.parametrize(
    ("preset", "files", "alert"),
    [
        ("sparkov-generator", "sparkov/*.csv.gz", "decline"),
        ("handbook", "handbook/*04.csv.gz", "review"),
        ("ai4i", "ai4i/*.csv", "service"),
        ("nab", "nab/data/realKnownCause/*.csv", "anomaly"),
        ("tep", "tep/*_te.dat.gz", "anomaly"),
        ("cmapss", "cmapss/train_FD001.txt", "service"),
    ],
)
def test_public_files_are_read_by_their_presets_and_decided(
    preset: str, files: str, alert: str
) -> None:
    data = os.environ.get("STORMWATCH_DATA")
    if data is None:
        pytest.skip("STORMWATCH_DATA names no folder with the public files")
    mapped, _ = mappings.ready(f"preset:{preset}")
    paths = sorted(Path(data).glob(files))
    assert paths
    events = []
    for path in paths:
        for value in islice(mapped_rows.values(path, mapped.csv), 20_000):
            event = mapped.parse(value, -1, future_skew_ms=0)
            assert not isinstance(event, Rejection), (path, event)
            events.append(event)
    outcomes = decided(events)
    assert sum(outcomes.values()) == len(events) and outcomes[alert], outcomes
