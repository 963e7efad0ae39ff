//! The little of MessagePack that states are made of, as msgspec writes it: the shortest forms.

/// What this core does not do itself: the caller takes the reference implementation instead.
pub struct Unusual;
pub type Usual<T> = Result<T, Unusual>;

pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Reader { data, at: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.at == self.data.len()
    }

    fn take(&mut self, count: usize) -> Usual<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(Unusual)?;
        let found = self.data.get(self.at..end).ok_or(Unusual)?;
        self.at = end;
        Ok(found)
    }

    fn number(&mut self, bytes: usize) -> Usual<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    pub fn array(&mut self) -> Usual<usize> {
        match self.take(1)?[0] {
            tag @ 0x90..=0x9f => Ok((tag & 15) as usize),
            0xdc => Ok(self.number(2)? as usize),
            0xdd => Ok(self.number(4)? as usize),
            _ => Err(Unusual),
        }
    }

    pub fn int(&mut self) -> Usual<i64> {
        match self.take(1)?[0] {
            tag @ 0..=0x7f => Ok(i64::from(tag)),
            tag @ 0xe0..=0xff => Ok(i64::from(tag as i8)),
            0xcc => Ok(self.number(1)? as i64),
            0xcd => Ok(self.number(2)? as i64),
            0xce => Ok(self.number(4)? as i64),
            0xcf => i64::try_from(self.number(8)?).map_err(|_| Unusual),
            0xd0 => Ok(i64::from(self.number(1)? as i8)),
            0xd1 => Ok(i64::from(self.number(2)? as i16)),
            0xd2 => Ok(i64::from(self.number(4)? as i32)),
            0xd3 => Ok(self.number(8)? as i64),
            _ => Err(Unusual),
        }
    }

    pub fn ints<const N: usize>(&mut self) -> Usual<[i64; N]> {
        if self.array()? != N {
            return Err(Unusual);
        }
        let mut found = [0; N];
        for each in &mut found {
            *each = self.int()?;
        }
        Ok(found)
    }

    pub fn flag(&mut self) -> Usual<bool> {
        match self.take(1)?[0] {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(Unusual),
        }
    }

    pub fn bytes(&mut self) -> Usual<&'a [u8]> {
        let size = match self.take(1)?[0] {
            0xc4 => self.number(1)?,
            0xc5 => self.number(2)?,
            0xc6 => self.number(4)?,
            _ => return Err(Unusual),
        };
        self.take(size as usize)
    }

    pub fn text(&mut self) -> Usual<&'a str> {
        let size = match self.take(1)?[0] {
            tag @ 0xa0..=0xbf => u64::from(tag & 31),
            0xd9 => self.number(1)?,
            0xda => self.number(2)?,
            0xdb => self.number(4)?,
            _ => return Err(Unusual),
        };
        std::str::from_utf8(self.take(size as usize)?).map_err(|_| Unusual)
    }

    /// The next value, whatever it is, as it is written.
    pub fn raw(&mut self) -> Usual<&'a [u8]> {
        let from = self.at;
        let mut open = 1_usize;
        while open > 0 {
            open -= 1;
            let (size, inside) = match self.take(1)?[0] {
                0..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0),
                tag @ 0x80..=0x8f => (0, 2 * u64::from(tag & 15)),
                tag @ 0x90..=0x9f => (0, u64::from(tag & 15)),
                tag @ 0xa0..=0xbf => (u64::from(tag & 31), 0),
                0xc4 | 0xd9 => (self.number(1)?, 0),
                0xc5 | 0xda => (self.number(2)?, 0),
                0xc6 | 0xdb => (self.number(4)?, 0),
                0xcc | 0xd0 => (1, 0),
                0xcd | 0xd1 => (2, 0),
                0xca | 0xce | 0xd2 => (4, 0),
                0xcb | 0xcf | 0xd3 => (8, 0),
                0xdc => (0, self.number(2)?),
                0xdd => (0, self.number(4)?),
                0xde => (0, 2 * self.number(2)?),
                0xdf => (0, 2 * self.number(4)?),
                _ => return Err(Unusual),
            };
            self.take(size as usize)?;
            open = open.checked_add(inside as usize).ok_or(Unusual)?;
        }
        Ok(&self.data[from..self.at])
    }

    /// Whether nil is next; then it is read.
    pub fn nil(&mut self) -> bool {
        let is_nil = self.data.get(self.at) == Some(&0xc0);
        self.at += usize::from(is_nil);
        is_nil
    }
}

pub fn array(out: &mut Vec<u8>, count: usize) {
    match count {
        0..=15 => out.push(0x90 | count as u8),
        16..=0xffff => tagged(out, 0xdc, count as u64, 2),
        _ => tagged(out, 0xdd, count as u64, 4),
    }
}

pub fn int(out: &mut Vec<u8>, value: i64) {
    match value {
        0..=0x7f => out.push(value as u8),
        -32..=-1 => out.push(value as i8 as u8),
        0x80..=0xff => tagged(out, 0xcc, value as u64, 1),
        0x100..=0xffff => tagged(out, 0xcd, value as u64, 2),
        0x1_0000..=0xffff_ffff => tagged(out, 0xce, value as u64, 4),
        0x1_0000_0000.. => tagged(out, 0xcf, value as u64, 8),
        -0x80..=-33 => tagged(out, 0xd0, value as u64, 1),
        -0x8000..=-0x81 => tagged(out, 0xd1, value as u64, 2),
        -0x8000_0000..=-0x8001 => tagged(out, 0xd2, value as u64, 4),
        _ => tagged(out, 0xd3, value as u64, 8),
    }
}

pub fn ints(out: &mut Vec<u8>, values: &[i64]) {
    array(out, values.len());
    for &value in values {
        int(out, value);
    }
}

pub fn text(out: &mut Vec<u8>, value: &str) {
    match value.len() {
        size @ 0..=31 => out.push(0xa0 | size as u8),
        size @ 32..=0xff => tagged(out, 0xd9, size as u64, 1),
        size @ 0x100..=0xffff => tagged(out, 0xda, size as u64, 2),
        size => tagged(out, 0xdb, size as u64, 4),
    }
    out.extend_from_slice(value.as_bytes());
}

pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    match value.len() {
        size @ 0..=0xff => tagged(out, 0xc4, size as u64, 1),
        size @ 0x100..=0xffff => tagged(out, 0xc5, size as u64, 2),
        size => tagged(out, 0xc6, size as u64, 4),
    }
    out.extend_from_slice(value);
}

pub fn map(out: &mut Vec<u8>, count: usize) {
    match count {
        0..=15 => out.push(0x80 | count as u8),
        16..=0xffff => tagged(out, 0xde, count as u64, 2),
        _ => tagged(out, 0xdf, count as u64, 4),
    }
}

pub fn float(out: &mut Vec<u8>, value: f64) {
    tagged(out, 0xcb, value.to_bits(), 8);
}

pub fn flag(out: &mut Vec<u8>, value: bool) {
    out.push(0xc2 + u8::from(value));
}

pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

fn tagged(out: &mut Vec<u8>, tag: u8, value: u64, bytes: usize) {
    out.push(tag);
    out.extend_from_slice(&value.to_be_bytes()[8 - bytes..]);
}
