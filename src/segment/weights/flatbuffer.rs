//! Just enough of the FlatBuffers format to read TFLite files, every access checked.
//!
//! A table is a place in the bytes; its fields are found through a table of offsets (the
//! vtable), where a missing or zero offset means the default. A field is named by its slot,
//! its position in the schema counted from 0.

use super::Malformed;

#[derive(Clone, Copy)]
pub struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    pub fn root(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self { bytes, at: follow(bytes, 0)? })
    }

    /// Where the field's value lies, or `None` where the file leaves it out.
    fn field(&self, slot: usize) -> Result<Option<usize>, Malformed> {
        let back = i32::from_le_bytes(array(self.bytes, self.at)?);
        let vtable = i64::try_from(self.at)
            .ok()
            .and_then(|at| at.checked_sub(i64::from(back)))
            .and_then(|at| usize::try_from(at).ok())
            .ok_or_else(beyond)?;
        let length = usize::from(u16::from_le_bytes(array(self.bytes, vtable)?));
        let entry = 4 + 2 * slot;
        if entry + 2 > length {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(array(self.bytes, vtable.checked_add(entry).ok_or_else(beyond)?)?);
        Ok((offset != 0).then_some(self.at + usize::from(offset)))
    }

    fn scalar<const N: usize>(&self, slot: usize) -> Result<Option<[u8; N]>, Malformed> {
        self.field(slot)?.map(|at| array(self.bytes, at)).transpose()
    }

    pub fn u8(&self, slot: usize) -> Result<u8, Malformed> {
        Ok(self.scalar(slot)?.map_or(0, u8::from_le_bytes))
    }

    pub fn i32_or(&self, slot: usize, default: i32) -> Result<i32, Malformed> {
        Ok(self.scalar(slot)?.map_or(default, i32::from_le_bytes))
    }

    pub fn u32(&self, slot: usize) -> Result<u32, Malformed> {
        Ok(self.scalar(slot)?.map_or(0, u32::from_le_bytes))
    }

    pub fn table(&self, slot: usize) -> Result<Option<Table<'a>>, Malformed> {
        let Some(at) = self.field(slot)? else { return Ok(None) };
        Ok(Some(Table { bytes: self.bytes, at: follow(self.bytes, at)? }))
    }

    /// The elements of a vector, `size_bytes` each, as one slice.
    fn vector(&self, slot: usize, size_bytes: usize) -> Result<(usize, &'a [u8]), Malformed> {
        let Some(at) = self.field(slot)? else { return Ok((0, &[])) };
        let at = follow(self.bytes, at)?;
        let count = u32::from_le_bytes(array(self.bytes, at)?) as usize;
        let start = at + 4;
        let length = count.checked_mul(size_bytes).ok_or_else(beyond)?;
        let end = start.checked_add(length).ok_or_else(beyond)?;
        Ok((start, self.bytes.get(start..end).ok_or_else(beyond)?))
    }

    pub fn tables(&self, slot: usize) -> Result<Vec<Table<'a>>, Malformed> {
        let (start, elements) = self.vector(slot, 4)?;
        (0..elements.len() / 4)
            .map(|i| Ok(Table { bytes: self.bytes, at: follow(self.bytes, start + 4 * i)? }))
            .collect()
    }

    pub fn bytes(&self, slot: usize) -> Result<&'a [u8], Malformed> {
        Ok(self.vector(slot, 1)?.1)
    }

    pub fn string(&self, slot: usize) -> Result<String, Malformed> {
        Ok(String::from_utf8_lossy(self.bytes(slot)?).into_owned())
    }

    pub fn i32s(&self, slot: usize) -> Result<Vec<i32>, Malformed> {
        Ok(self.numbers(slot)?.map(i32::from_le_bytes).collect())
    }

    pub fn i64s(&self, slot: usize) -> Result<Vec<i64>, Malformed> {
        Ok(self.numbers(slot)?.map(i64::from_le_bytes).collect())
    }

    pub fn f32s(&self, slot: usize) -> Result<Vec<f32>, Malformed> {
        Ok(self.numbers(slot)?.map(f32::from_le_bytes).collect())
    }

    fn numbers<const N: usize>(&self, slot: usize) -> Result<impl Iterator<Item = [u8; N]>, Malformed> {
        Ok(self.vector(slot, N)?.1.as_chunks::<N>().0.iter().copied())
    }
}

/// The place that the offset at `at` points to.
fn follow(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let to = at + u32::from_le_bytes(array(bytes, at)?) as usize;
    if to < bytes.len() { Ok(to) } else { Err(beyond()) }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or_else(beyond)
}

fn beyond() -> Malformed {
    Malformed::new("it points beyond its own end: the file is cut short or damaged")
}
