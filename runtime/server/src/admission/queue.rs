//! Who is next: first come first served within a tenant, and between tenants by weight.
//!
//! This is start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), every event being as long as any other. A turn takes
//! [`ROUND`] divided by the tenant's weight of a virtual time, which stands at the beginning of the turn that was given last. A tenant's
//! next turn begins where its last one ended, or now if that is past; the turn that begins first is next. So a tenant that comes
//! anew is behind nobody's backlog, waiting earns no credit, and a tenant that keeps one event waiting does not get every turn.
//!
//! When the queue is full, the line that is longest for its weight gives up its newest place to whoever has the shorter one.
//!
//! It is only the order: who waits, and how, it does not know.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// A turn of a tenant of weight one, in virtual time. Every weight divides it to within a thousandth, and the time lasts for 2^44 turns
/// of one busy period.
const ROUND: u64 = 1 << 20;

/// A bounded queue of `W`.
#[derive(Debug)]
pub(super) struct Queue<W> {
    most: usize,
    waiting: usize,
    /// The virtual time.
    now: u64,
    tickets: u64,
    lines: HashMap<Tenant, Line<W>>,
    /// The lines by their next turn. One that is empty stays until the time has come to it, for only then is it forgotten.
    turns: BTreeSet<(u64, Tenant)>,
    /// The lines that are not empty, by their length.
    lengths: BTreeSet<(u64, Tenant)>,
}

/// What tells tenants apart.
type Tenant = usize;

#[derive(Debug)]
struct Line<W> {
    next_turn: u64,
    /// The virtual time that all its turns will take.
    length: u64,
    waiters: VecDeque<Waiter<W>>,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: u64,
    turn: u64,
    waiter: W,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    tenant: Tenant,
    number: u64,
}

/// What came of joining.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined<W> {
    pub(super) ticket: Ticket,
    /// Whoever had to make room.
    pub(super) pushed_out: Option<W>,
}

impl<W> Queue<W> {
    /// An empty queue with so many places.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: 0,
            now: 0,
            tickets: 0,
            lines: HashMap::new(),
            turns: BTreeSet::new(),
            lengths: BTreeSet::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Joins the tenant's line; `None` if there is no place for it.
    pub(super) fn join(&mut self, tenant: Tenant, weight: u32, waiter: W) -> Option<Joined<W>> {
        let turn = ROUND / u64::from(weight.max(1));
        let pushed_out = if self.waiting < self.most { None } else { Some(self.push_out(tenant, turn)?) };
        let number = self.tickets;
        self.tickets += 1;
        let line = self.lines.entry(tenant).or_insert_with(|| {
            self.turns.insert((self.now, tenant));
            Line { next_turn: self.now, length: 0, waiters: VecDeque::new() }
        });
        self.lengths.remove(&(line.length, tenant));
        line.length += turn;
        self.lengths.insert((line.length, tenant));
        line.waiters.push_back(Waiter { ticket: number, turn, waiter });
        self.waiting += 1;
        Some(Joined { ticket: Ticket { tenant, number }, pushed_out })
    }

    /// Gives up a place; `None` if its turn came before.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<W> {
        let waiters = &self.lines.get(&ticket.tenant)?.waiters;
        let place = waiters.binary_search_by_key(&ticket.number, |waiter| waiter.ticket).ok()?;
        self.remove(ticket.tenant, place).map(|waiter| waiter.waiter)
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<W> {
        loop {
            let (turn, tenant) = self.turns.pop_first()?;
            self.now = turn;
            let Some(waiter) = self.remove(tenant, 0) else {
                self.lines.remove(&tenant);
                continue;
            };
            // The last one's leaving has ended the busy period, and with it all lines.
            if let Some(line) = self.lines.get_mut(&tenant) {
                line.next_turn = turn + waiter.turn;
                self.turns.insert((line.next_turn, tenant));
            }
            return Some(waiter.waiter);
        }
    }

    /// Takes the newest place of the longest line, if that is longer than the tenant's would become.
    fn push_out(&mut self, tenant: Tenant, turn: u64) -> Option<W> {
        let (longest, victim) = self.lengths.last().copied()?;
        let own = self.lines.get(&tenant).map_or(0, |line| line.length);
        if own + turn >= longest {
            return None;
        }
        let newest = self.lines.get(&victim)?.waiters.len().checked_sub(1)?;
        self.remove(victim, newest).map(|waiter| waiter.waiter)
    }

    fn remove(&mut self, tenant: Tenant, place: usize) -> Option<Waiter<W>> {
        let line = self.lines.get_mut(&tenant)?;
        let waiter = line.waiters.remove(place)?;
        self.lengths.remove(&(line.length, tenant));
        line.length -= waiter.turn;
        if !line.waiters.is_empty() {
            self.lengths.insert((line.length, tenant));
        }
        self.waiting -= 1;
        if self.waiting == 0 {
            self.rest();
        }
        Some(waiter)
    }

    /// Ends a busy period: everybody has been served, and nobody owes a turn.
    fn rest(&mut self) {
        self.now = 0;
        self.lines.clear();
        self.turns.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 10_000;

    fn join_many<W: Copy>(queue: &mut Queue<W>, tenant: Tenant, weight: u32, waiter: W, count: usize) -> Vec<Ticket> {
        (0..count).map(|_| queue.join(tenant, weight, waiter).unwrap().ticket).collect()
    }

    #[test]
    fn a_tenant_is_served_in_the_order_of_its_arrivals() {
        let mut queue = Queue::new(MANY);
        (0..5).for_each(|number| assert!(queue.join(1, 1, number).is_some()));
        let served: Vec<i32> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(served, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_newcomer_is_next_whatever_the_backlog_of_another() {
        let mut queue = Queue::new(MANY);
        join_many(&mut queue, 1, 1, 'a', 1_000);
        (0..300).for_each(|_| assert_eq!(queue.next(), Some('a')));
        join_many(&mut queue, 2, 1, 'b', 1);
        let first_two = [queue.next(), queue.next()];
        assert!(first_two.contains(&Some('b')), "{first_two:?}");
    }

    #[test]
    fn whoever_always_has_one_event_waiting_does_not_get_every_turn() {
        let mut queue = Queue::new(MANY);
        join_many(&mut queue, 1, 1, 'a', 100);
        let mut served = String::new();
        for _ in 0..10 {
            join_many(&mut queue, 2, 1, 'b', 1);
            while !served.ends_with('b') {
                served.extend(queue.next());
            }
            served.extend(queue.next());
        }
        assert_eq!(served.matches('a').count().abs_diff(served.matches('b').count()), 1, "{served}");
    }

    #[test]
    fn twice_the_weight_is_twice_the_turns() {
        let mut queue = Queue::new(MANY);
        join_many(&mut queue, 1, 1, 'a', 100);
        join_many(&mut queue, 2, 2, 'b', 100);
        let served: String = (0..30).filter_map(|_| queue.next()).collect();
        assert_eq!((served.matches('a').count(), served.matches('b').count()), (10, 20));
    }

    #[test]
    fn whoever_left_has_no_turn_and_owes_none() {
        let mut queue = Queue::new(MANY);
        let tickets = join_many(&mut queue, 1, 1, 'a', 1_000);
        join_many(&mut queue, 2, 1, 'b', 10);
        tickets.iter().take(990).for_each(|ticket| assert_eq!(queue.leave(*ticket), Some('a')));
        assert_eq!(queue.leave(tickets[0]), None);
        let served: String = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(served, "ab".repeat(10));
        assert!(queue.is_empty() && queue.lines.is_empty() && queue.turns.is_empty() && queue.lengths.is_empty());
    }

    #[test]
    fn a_full_queue_is_shared_by_pushing_out_the_newest_of_the_longest_line() {
        let mut queue = Queue::new(4);
        (0..4).for_each(|number| assert!(queue.join(1, 1, number).is_some()));
        assert_eq!(queue.join(1, 1, 4), None);
        assert_eq!(queue.join(2, 1, 5).unwrap().pushed_out, Some(3));
        assert_eq!(queue.join(2, 1, 6).unwrap().pushed_out, Some(2));
        assert_eq!(queue.join(2, 1, 7), None, "to be longer than the longest would be no fairer");
        assert_eq!(queue.join(3, 1, 8).unwrap().pushed_out, Some(6));
        assert_eq!(queue.len(), 4);
        assert_eq!(std::iter::from_fn(|| queue.next()).collect::<Vec<_>>(), [0, 5, 8, 1]);
    }

    #[test]
    fn a_queue_without_places_takes_nobody() {
        assert_eq!(Queue::new(0).join(1, 1, 'a'), None);
    }
}
