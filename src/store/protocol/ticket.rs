//! Tickets: which writer added an entry, and which of theirs it is.

use super::slots::SLOTS;

const NUMBER_BITS: u32 = 56;

/// Who added an entry and which one of theirs it is: unique within a generation.
///
/// 2^56 numbers last one writer for 200 years at ten million additions a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(crate) fn new(slot: usize, number: u64) -> Ticket {
        debug_assert!(slot < SLOTS && number < 1 << NUMBER_BITS);
        Ticket((slot as u64) << NUMBER_BITS | number)
    }

    pub(crate) fn from_bits(bits: u64) -> Ticket {
        Ticket(bits)
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn slot(self) -> usize {
        // Eight bits are left.
        usize::try_from(self.0 >> NUMBER_BITS).expect("a slot is below 256")
    }

    pub(crate) fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    /// Whether the entry cancels an element of its value instead of being one.
    pub(crate) fn is_removal(self) -> bool {
        self.slot() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_keep_slot_and_number() {
        for (slot, number) in [(0, 0), (1, 7), (255, (1 << NUMBER_BITS) - 1)] {
            let ticket = Ticket::new(slot, number);
            assert_eq!((ticket.slot(), ticket.number()), (slot, number));
            assert_eq!(Ticket::from_bits(ticket.to_bits()), ticket);
            assert_eq!(ticket.is_removal(), slot == 0);
        }
    }
}
