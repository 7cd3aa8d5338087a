//! The connections of one event loop, found by token.

use mio::Token;
use slab::Slab;

// A token is 32 bits of index and 32 of generation.
const _: () = assert!(usize::BITS == 64, "tokens need 64 bits");

const INDEX_BITS: u32 = 32;

/// Tokens from here on are never given to connections.
pub(super) const RESERVED_TOKENS: usize = usize::MAX - 7;

/// A slab whose tokens are never used again: an event or a timer for something that is gone finds
/// nothing, even if its place has been taken.
pub(super) struct Registry<T> {
    entries: Slab<(u32, T)>,
    next_generation: u32,
}

impl<T> Registry<T> {
    pub(super) fn new() -> Registry<T> {
        Registry { entries: Slab::new(), next_generation: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes in what `make` builds, which is told its token. O(1).
    pub(super) fn insert_with<E>(
        &mut self,
        make: impl FnOnce(Token) -> Result<T, E>,
    ) -> Result<Token, E> {
        let generation = self.next_generation;
        let entry = self.entries.vacant_entry();
        let token = Token((generation as usize) << INDEX_BITS | entry.key());
        debug_assert!(token.0 < RESERVED_TOKENS);
        entry.insert((generation, make(token)?));
        // Wraps after four billion connections, all but one generation early for the reserved tokens.
        self.next_generation = (generation + 1) % (u32::MAX - 1);
        Ok(token)
    }

    pub(super) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let (generation, entry) = self.entries.get_mut(index(token))?;
        (token.0 >> INDEX_BITS == *generation as usize).then_some(entry)
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<T> {
        self.get_mut(token)?;
        Some(self.entries.remove(index(token)).1)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> {
        let token = |(index, (generation, _)): (usize, &(u32, T))| {
            Token((*generation as usize) << INDEX_BITS | index)
        };
        self.entries.iter().map(token)
    }
}

fn index(token: Token) -> usize {
    token.0 & ((1 << INDEX_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(registry: &mut Registry<char>, value: char) -> Token {
        registry.insert_with(|_| Ok::<_, ()>(value)).expect("it was built")
    }

    #[test]
    fn a_stale_token_finds_nothing_in_a_place_taken_again() {
        let mut registry = Registry::new();
        let old = insert(&mut registry, 'a');
        assert_eq!(registry.remove(old), Some('a'));
        let new = insert(&mut registry, 'b');
        assert_eq!(index(old), index(new));
        assert_eq!(registry.get_mut(old), None);
        assert_eq!(registry.remove(old), None);
        assert_eq!(registry.get_mut(new), Some(&mut 'b'));
        assert_eq!(registry.tokens().collect::<Vec<_>>(), [new]);
    }

    #[test]
    fn what_could_not_be_built_takes_no_place() {
        let mut registry: Registry<char> = Registry::new();
        assert_eq!(registry.insert_with(|_| Err("no")), Err("no"));
        assert_eq!(registry.len(), 0);
    }
}
