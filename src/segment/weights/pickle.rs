//! Python's pickle format read as plain data.
//!
//! A pickle is a program for a stack machine that may call any Python function. This reader
//! calls nothing: a name stays a name, and a call becomes a [`Value::Call`] that the reader of
//! state dicts recognises or leaves alone. Values live in one arena and refer to each other by
//! place, so that no depth of nesting can exhaust the stack.

use std::collections::HashMap;

use super::Malformed;

/// The place of a value in its [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ref(usize);

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Ref>),
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A function or class: module and name.
    Global(String, String),
    /// What a persistent id stands for; PyTorch puts storages there.
    Persistent(Ref),
    /// A call that was not made: function and tuple of arguments.
    Call(Ref, Ref),
}

#[derive(Debug)]
pub struct Pickle {
    values: Vec<Value>,
    pub root: Ref,
}

impl Pickle {
    pub fn get(&self, place: Ref) -> &Value {
        &self.values[place.0]
    }

    /// Every value, in the order in which it was made.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// Reads one pickle from the start of `bytes`, and says how many bytes it took.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut machine =
            Machine { bytes, at: 0, values: Vec::new(), stack: Vec::new(), memo: HashMap::new() };
        let root = machine.run()?;
        Ok((Self { values: machine.values, root }, machine.at))
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    /// `None` is a mark.
    stack: Vec<Option<Ref>>,
    memo: HashMap<usize, Ref>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Ref, Malformed> {
        loop {
            match self.byte()? {
                // PROTO and FRAME say nothing that is needed here.
                0x80 => self.skip(1)?,
                0x95 => self.skip(8)?,
                b'.' => return self.pop(),
                b'(' => self.stack.push(None),
                b'0' => drop(self.stack.pop()),
                b'N' => self.push(Value::None),
                0x88 => self.push(Value::Bool(true)),
                0x89 => self.push(Value::Bool(false)),
                b'K' => {
                    let int = self.byte()?;
                    self.push(Value::Int(int.into()));
                }
                b'M' => {
                    let int = u16::from_le_bytes(self.array()?);
                    self.push(Value::Int(int.into()));
                }
                b'J' => {
                    let int = i32::from_le_bytes(self.array()?);
                    self.push(Value::Int(int.into()));
                }
                0x8a => self.long()?,
                b'G' => {
                    let float = f64::from_be_bytes(self.array()?);
                    self.push(Value::Float(float));
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    self.text(length)?;
                }
                // Also the 8-bit strings that Python 2 wrote.
                0x8c | b'U' => {
                    let length = self.byte()?.into();
                    self.text(length)?;
                }
                b'T' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    self.text(length)?;
                }
                b'C' => {
                    let length = self.byte()?.into();
                    let bytes = self.take(length)?.to_vec();
                    self.push(Value::Bytes(bytes));
                }
                b'B' => {
                    let length = u32::from_le_bytes(self.array()?) as usize;
                    let bytes = self.take(length)?.to_vec();
                    self.push(Value::Bytes(bytes));
                }
                b')' => self.push(Value::Tuple(Vec::new())),
                b']' => self.push(Value::List(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Tuple(items));
                }
                count @ 0x85..=0x87 => {
                    let count = usize::from(count - 0x84);
                    let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                    items.reverse();
                    self.push(Value::Tuple(items));
                }
                b'l' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::List(items));
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Dict(pairs(&items)));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.insert(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.insert(&items)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Value::Global(module, name));
                }
                0x93 => {
                    let (name, module) = (self.pop_text()?, self.pop_text()?);
                    self.push(Value::Global(module, name));
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.push(Value::Persistent(id));
                }
                // REDUCE and NEWOBJ would call the function, or make an object of the class.
                b'R' | 0x81 => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.call(function, arguments);
                }
                // BUILD would give an object its state, which no weights are kept in.
                b'b' => drop(self.pop()?),
                b'q' => {
                    let key = self.byte()?.into();
                    self.memoize(key)?;
                }
                b'r' => {
                    let key = u32::from_le_bytes(self.array()?) as usize;
                    self.memoize(key)?;
                }
                0x94 => self.memoize(self.memo.len())?,
                b'h' => {
                    let key = self.byte()?.into();
                    self.recall(key)?;
                }
                b'j' => {
                    let key = u32::from_le_bytes(self.array()?) as usize;
                    self.recall(key)?;
                }
                other => {
                    return Err(Malformed::new(format!(
                        "its pickle has the instruction {other:#04x}, which weights do not need"
                    )));
                }
            }
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Some(Ref(self.values.len())));
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Ref, Malformed> {
        self.stack.pop().flatten().ok_or_else(damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Malformed> {
        let mark = self.stack.iter().rposition(Option::is_none).ok_or_else(damaged)?;
        let items = self.stack.drain(mark..).flatten().collect();
        Ok(items)
    }

    fn pop_text(&mut self) -> Result<String, Malformed> {
        let place = self.pop()?;
        match &self.values[place.0] {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(damaged()),
        }
    }

    fn top(&mut self) -> Result<&mut Value, Malformed> {
        let place = self.stack.last().copied().flatten().ok_or_else(damaged)?;
        Ok(&mut self.values[place.0])
    }

    /// Onto the list on top of the stack.
    fn append(&mut self, items: &[Ref]) -> Result<(), Malformed> {
        match self.top()? {
            Value::List(list) => list.extend(items),
            // An object of a class that we do not know.
            Value::Call(..) => {}
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// Into the dict on top of the stack: keys and values by turns.
    fn insert(&mut self, items: &[Ref]) -> Result<(), Malformed> {
        match self.top()? {
            Value::Dict(dict) => dict.extend(pairs(items)),
            Value::Call(..) => {}
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// The one call that has a meaning here is that of an ordered dict, which is a dict.
    fn call(&mut self, function: Ref, arguments: Ref) {
        let is_dict = matches!(&self.values[function.0],
            Value::Global(module, name) if module == "collections" && name == "OrderedDict");
        let is_empty = matches!(&self.values[arguments.0], Value::Tuple(items) if items.is_empty());
        self.push(if is_dict && is_empty {
            Value::Dict(Vec::new())
        } else {
            Value::Call(function, arguments)
        });
    }

    fn memoize(&mut self, key: usize) -> Result<(), Malformed> {
        let place = self.stack.last().copied().flatten().ok_or_else(damaged)?;
        self.memo.insert(key, place);
        Ok(())
    }

    fn recall(&mut self, key: usize) -> Result<(), Malformed> {
        self.stack.push(Some(*self.memo.get(&key).ok_or_else(damaged)?));
        Ok(())
    }

    /// An integer of up to 8 bytes. Longer ones, such as the magic number of old files, are
    /// kept as bytes.
    fn long(&mut self) -> Result<(), Malformed> {
        let length = self.byte()?.into();
        let bytes = self.take(length)?.to_vec();
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        self.push(match wide.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(&bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            None => Value::Bytes(bytes),
        });
        Ok(())
    }

    fn text(&mut self, length: usize) -> Result<(), Malformed> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<String, Malformed> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let array = *self.bytes[self.at..].first_chunk().ok_or_else(cut_short)?;
        self.at += N;
        Ok(array)
    }

    fn take(&mut self, length: usize) -> Result<&[u8], Malformed> {
        let slice = self.bytes[self.at..].get(..length).ok_or_else(cut_short)?;
        self.at += length;
        Ok(slice)
    }

    fn skip(&mut self, length: usize) -> Result<(), Malformed> {
        self.take(length).map(drop)
    }
}

fn pairs(items: &[Ref]) -> Vec<(Ref, Ref)> {
    items.as_chunks().0.iter().map(|&[key, value]| (key, value)).collect()
}

fn damaged() -> Malformed {
    Malformed::new("its pickle does not hold together: the file is damaged")
}

fn cut_short() -> Malformed {
    Malformed::new("its pickle ends too early: the file is cut short")
}
