#!/usr/bin/env bash
# Storm 2.8.3 (its multilang JSON reader, json-smart 2.6): what becomes of a float depends on how many
# characters it was written with.
#
# Expected: a JSON number with a point or exponent is a Double, equal numbers hash alike, and a bolt
# receives the float that was emitted.
# Seen: a text of more than 18 characters becomes a BigDecimal. (a) 1.2083913532923948e+16 is sent on to
# the bolt as 12083913532923948: Python reads an int where a float was emitted. (b) Fields grouping
# hashes the object: 10000000000000000.0 and 1e+16, one number in two spellings, go to different ones
# of five tasks. Serializers spell floats differently (orjson, json, Java).
# Around it: group by text or whole numbers, never by floats.
#
# Needs mvn and java (17 or newer). Exit code 0: as described; 1: it behaves otherwise now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=2.8.3
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dmdep.stripVersion=true \
    -Dartifact="org.apache.storm:storm-shaded-deps:$version" -DoutputDirectory="$folder"
echo "storm-shaded-deps $version"

cat >"$folder/Numbers.java" <<'JAVA'
import java.util.Arrays;
import org.apache.storm.shade.net.minidev.json.JSONArray;
import org.apache.storm.shade.net.minidev.json.JSONValue;

public class Numbers {
    public static void main(String[] texts) throws Exception {
        for (String text : texts) {
            // As org.apache.storm.multilang.JsonSerializer reads and writes, and FieldsGrouping hashes.
            JSONArray values = (JSONArray) JSONValue.parseWithException("[" + text + "]");
            System.out.println(text + " " + values.get(0).getClass().getSimpleName() + " "
                + JSONValue.toJSONString(values) + " task "
                + Math.floorMod(Arrays.deepHashCode(values.toArray()), 5));
        }
    }
}
JAVA

java -cp "$folder/storm-shaded-deps.jar" "$folder/Numbers.java" \
    1.2083913532923948e+16 1e+16 10000000000000000.0 | tee "$folder/seen"
[[ $(sed -n 1p "$folder/seen") == "1.2083913532923948e+16 BigDecimal [12083913532923948] "* ]] || exit 1
[[ $(sed -n '2s/.*task //p' "$folder/seen") != $(sed -n '3s/.*task //p' "$folder/seen") ]] || exit 1
echo "as described: a float arrives as an int, and equal floats reach different tasks"
