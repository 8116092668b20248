//! What one write has had converted so far.
//!
//! Who owns which field is looked at in the version each owner wrote in, by rules that know no
//! waiting. So they look here; what they do not find is noted, converted, and the write goes round
//! again.

use api::{Status, Value, json};
use parking_lot::Mutex;

use super::Converter;
use crate::registry::Resource;

/// How often a write goes round for conversions that are missing: each round finds at least one
/// more, and there are few versions.
const ROUNDS_MAX: usize = 32;

/// Conversions of one write.
#[derive(Default)]
pub(crate) struct Memo(Mutex<State>);

#[derive(Default)]
struct State {
    known: Vec<(Asked, Value)>,
    missing: Vec<Asked>,
    rounds: usize,
}

/// An object, and the place of the version it is wanted in.
#[derive(Clone, PartialEq)]
struct Asked {
    bytes: Vec<u8>,
    to: usize,
}

impl Asked {
    fn new(object: &Value, to: usize) -> Self {
        let mut bytes = Vec::new();
        json::write(object, &mut bytes);
        Self { bytes, to }
    }
}

impl Memo {
    /// Returns the object in the version at `to`; nothing, and it is noted, if that is not there yet.
    pub(crate) fn find(&self, object: &Value, to: usize) -> Option<Value> {
        let asked = Asked::new(object, to);
        let mut state = self.0.lock();
        let found = state.known.iter().find(|(known, _)| *known == asked);
        if let Some((_, value)) = found {
            return Some(value.clone());
        }
        if !state.missing.contains(&asked) {
            state.missing.push(asked);
        }
        None
    }

    /// Returns whether something was looked for that is not there.
    pub(crate) fn lacks(&self) -> bool {
        !self.0.lock().missing.is_empty()
    }

    /// Has converted what is missing.
    ///
    /// # Errors
    /// 500 with what the webhook did wrong.
    pub(crate) async fn fill(
        &self,
        converter: &Converter,
        resource: &Resource,
    ) -> Result<(), Status> {
        let missing = {
            let mut state = self.0.lock();
            state.rounds += 1;
            if state.rounds > ROUNDS_MAX {
                return Err(Status::internal("conversions never end"));
            }
            std::mem::take(&mut state.missing)
        };
        for asked in missing {
            let value = json::read(&asked.bytes).map_err(Status::internal)?.value;
            let converted = converter.value(resource, asked.to, value).await?;
            self.0.lock().known.push((asked, converted));
        }
        Ok(())
    }
}
