//! How long a batch takes that is shared out between workers in one way or another.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

/// A way to share keys out between workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// One key at a time, whatever the number of workers.
    One,
    /// Each worker has a slice of the keys, of equal length, from the start.
    Chunks,
    /// A worker that is free takes the next key.
    Greedy,
    /// All keys run at once.
    PerKey,
    /// Keys are cut where a worker is free. Keys that cannot be cut are taken as by [`Schedule::Greedy`].
    Divided,
}

/// All of them.
pub const SCHEDULES: [Schedule; 5] =
    [Schedule::One, Schedule::Chunks, Schedule::Greedy, Schedule::PerKey, Schedule::Divided];

/// A key, or some neighbours that are taken together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Seconds on a CPU that nobody else uses.
    pub cpu: f64,
    /// Seconds asleep after that.
    pub asleep: f64,
    /// How many keys these are.
    pub of: u64,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpus {
    /// How many.
    pub count: f64,
    /// By how much a second CPU slows the first one down, and a third one the first two: threads of one core, memory that is
    /// shared.
    pub slowdown: f64,
}

impl Cpus {
    /// How fast each of so many threads is that have a CPU, beside one that is alone.
    pub fn speed(&self, busy: f64) -> f64 {
        1.0 / (1.0 + self.slowdown * (busy - 1.0).max(0.0))
    }

    /// How many threads may have a CPU at a time, and how much of one each has: a quota need not be whole.
    fn servers(&self) -> (u64, f64) {
        let whole = self.count.ceil().max(1.0);
        (whole as u64, self.count / whole)
    }
}

/// How long a thread has its CPU while others wait for one. Linux gives some milliseconds, by its version and the number of CPUs.
const TURN: f64 = 3e-3;

/// Bounds the turns that are worked out for one batch; turns become longer where there would be more.
const MOST_TURNS: f64 = 20_000.0;

/// Seconds from the first key to the last, of equal keys.
pub fn of_equal(schedule: Schedule, keys: u64, key: Key, workers: usize, cpus: Cpus) -> f64 {
    if key.asleep > 0.0 {
        // Many equal keys repeat themselves: what the last ones add to a batch, each thousand more adds again.
        let some = (64 * workers as u64).max(512);
        let of = |keys: u64| of_keys(schedule, &vec![key; keys as usize], workers, cpus);
        if keys <= 2 * some || schedule == Schedule::PerKey && keys <= 8 * some {
            return of(keys);
        }
        let (one, two) = (of(some), of(2 * some));
        return two + (two - one) * (keys - 2 * some) as f64 / some as f64;
    }
    let all = keys as f64 * key.cpu;
    let (servers, share) = cpus.servers();
    // Equal keys that take turns end as if each had been done when its turn first came.
    let workers = if schedule == Schedule::PerKey { keys } else { (workers as u64).min(keys).max(1) };
    let busy = workers.min(servers);
    let speed = share * cpus.speed(busy as f64);
    match schedule {
        Schedule::One => all / share,
        Schedule::Divided => all / busy as f64 / speed,
        Schedule::Chunks if workers > servers => all / busy as f64 / speed,
        Schedule::PerKey | Schedule::Chunks | Schedule::Greedy => {
            let last = keys % busy;
            let last = if last == 0 { 0.0 } else { key.cpu / (share * cpus.speed(last as f64)) };
            (keys / busy) as f64 * key.cpu / speed + last
        }
    }
}

/// The same of keys in their order.
pub fn of_keys(schedule: Schedule, keys: &[Key], workers: usize, cpus: Cpus) -> f64 {
    let count: u64 = keys.iter().map(|key| key.of).sum();
    let workers = (workers as u64).min(count).max(1);
    match schedule {
        Schedule::One => keys.iter().map(|key| key.cpu / cpus.servers().1 + key.asleep).sum(),
        Schedule::Divided if keys.iter().all(|key| key.asleep == 0.0) => {
            let (servers, share) = cpus.servers();
            let busy = workers.min(servers) as f64;
            keys.iter().map(|key| key.cpu).sum::<f64>() / busy / (share * cpus.speed(busy))
        }
        Schedule::Greedy | Schedule::Divided => simulated(&mut [keys.iter().copied().collect()], workers, cpus),
        Schedule::PerKey => simulated(&mut [keys.iter().copied().collect()], keys.len() as u64, cpus),
        Schedule::Chunks => {
            let mut chunks = vec![VecDeque::new(); workers as usize];
            let mut before = 0;
            for key in keys {
                chunks[(u128::from(before) * u128::from(workers) / u128::from(count)) as usize].push_back(*key);
                before += key.of;
            }
            simulated(&mut chunks, workers, cpus)
        }
    }
}

/// A number that is ordered; none here is NaN.
#[derive(Clone, Copy, PartialEq)]
struct Moment(f64);

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A worker's key.
#[derive(Clone, Copy, Default)]
struct Running {
    /// Seconds of computing that are left.
    left: f64,
    /// Seconds asleep after that.
    asleep: f64,
}

/// Lets `workers` take keys from the front of their queues, worker `i` from the queue `i`, or all from the only one there is. Those
/// who compute take turns where there are more of them than CPUs.
///
/// All that have a CPU are equally fast at any time, so how much each has computed since the start is one number, `computed`, and a
/// turn ends when that has grown by the turn's own seconds.
fn simulated(queues: &mut [VecDeque<Key>], workers: u64, cpus: Cpus) -> f64 {
    let whole: f64 = queues.iter().flatten().map(|key| key.cpu).sum();
    let turn = TURN.max(whole / MOST_TURNS);
    let (servers, share) = cpus.servers();
    let (mut now, mut computed) = (0.0_f64, 0.0_f64);
    let mut computing: BinaryHeap<Reverse<(Moment, usize)>> = BinaryHeap::new();
    let mut sleeping: BinaryHeap<Reverse<(Moment, usize)>> = BinaryHeap::new();
    let mut running = vec![Running::default(); workers as usize];
    let mut free: VecDeque<usize> = (0..workers as usize).collect();
    let mut ready: VecDeque<usize> = VecDeque::new();
    loop {
        while let Some(worker) = free.pop_front() {
            let of = if queues.len() == 1 { 0 } else { worker };
            let Some(key) = queues[of].pop_front() else { continue };
            running[worker] = Running { left: key.cpu, asleep: key.asleep };
            ready.push_back(worker);
        }
        while (computing.len() as u64) < servers
            && let Some(worker) = ready.pop_front()
        {
            let this_turn = running[worker].left.min(turn);
            running[worker].left -= this_turn;
            computing.push(Reverse((Moment(computed + this_turn), worker)));
        }
        let speed = share * cpus.speed(computing.len() as f64);
        let done = computing.peek().map(|Reverse((end, _))| now + (end.0 - computed).max(0.0) / speed);
        let wakes = sleeping.peek().map(|Reverse((end, _))| end.0);
        match (done, wakes) {
            (None, None) => return now,
            (done, Some(wakes)) if done.is_none_or(|done| wakes < done) => {
                computed += (wakes - now).max(0.0) * speed;
                now = wakes;
                free.extend(sleeping.pop().map(|Reverse((_, worker))| worker));
            }
            (done, _) => {
                now = done.unwrap_or(now);
                if let Some(Reverse((end, worker))) = computing.pop() {
                    computed = end.0;
                    let Running { left, asleep } = running[worker];
                    match () {
                        () if left > 0.0 => ready.push_back(worker),
                        () if asleep > 0.0 => sleeping.push(Reverse((Moment(now + asleep), worker))),
                        () => free.push_back(worker),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: Cpus = Cpus { count: 2.0, slowdown: 0.0 };

    fn keys(cpu: &[f64]) -> Vec<Key> {
        cpu.iter().map(|cpu| Key { cpu: *cpu, asleep: 0.0, of: 1 }).collect()
    }

    #[test]
    fn small_batches_by_hand() {
        let huge_first = keys(&[5.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let huge_last = keys(&[1.0, 1.0, 1.0, 1.0, 1.0, 5.0]);
        let of = |schedule, keys: &[Key]| (of_keys(schedule, keys, 2, TWO) * 1e6).round() / 1e6;
        assert_eq!(of(Schedule::One, &huge_first), 10.0);
        assert_eq!(of(Schedule::Chunks, &huge_first), 7.0);
        assert_eq!(of(Schedule::Greedy, &huge_first), 5.0);
        assert_eq!(of(Schedule::Greedy, &huge_last), 7.0);
        assert_eq!(of(Schedule::Divided, &huge_last), 5.0);
        // Six share two CPUs until five of them have had their second; then the long one is alone.
        assert!((of(Schedule::PerKey, &huge_last) - 7.0).abs() < 0.02);
    }

    #[test]
    fn who_computes_alone_is_faster() {
        let cpus = Cpus { count: 2.0, slowdown: 1.0 };
        // Two threads are as fast as one: two seconds together, then three alone.
        assert_eq!(of_keys(Schedule::Greedy, &keys(&[1.0, 4.0]), 2, cpus).round(), 5.0);
        assert_eq!(of_equal(Schedule::Greedy, 3, keys(&[1.0])[0], 2, cpus), 3.0);
    }

    #[test]
    fn sleepers_leave_the_cpus_to_others() {
        let key = Key { cpu: 1.0, asleep: 3.0, of: 1 };
        assert!((of_equal(Schedule::Greedy, 8, key, 2, TWO) - 16.0).abs() < 1e-9);
        assert!((of_equal(Schedule::Greedy, 8, key, 8, TWO) - 7.0).abs() < 0.02);
        // Keys that are shorter than a turn are done one after the other.
        let short = Key { cpu: 1e-3, asleep: 3e-3, of: 1 };
        assert!((of_equal(Schedule::Greedy, 8, short, 8, TWO) - 7e-3).abs() < 1e-9);
        assert_eq!(of_equal(Schedule::One, 8, key, 8, TWO), 32.0);
        let many = of_equal(Schedule::Greedy, 100_000, short, 8, TWO);
        assert!((many / 50.0 - 1.0).abs() < 0.01, "{many}: two CPUs are busy all the time");
    }

    proptest! {
        #[test]
        fn equal_keys_take_what_the_simulation_says(
            schedule in prop::sample::select(&SCHEDULES[..]), count in 1u64..200, workers in 1usize..9, slowdown in 0.0..1.0,
        ) {
            let cpus = Cpus { count: 2.0, slowdown };
            let key = Key { cpu: 1e-3, asleep: 0.0, of: 1 };
            let closed = of_equal(schedule, count, key, workers, cpus);
            let simulated = of_keys(schedule, &vec![key; count as usize], workers, cpus);
            // Turns of workers that share a CPU end a key apart.
            let apart = if workers > 2 { 4e-3 } else { 1e-9 };
            prop_assert!((closed - simulated).abs() < apart, "{} and {}", closed, simulated);
        }

        #[test]
        fn no_batch_is_shorter_than_its_longest_key_or_what_the_cpus_can_do(
            cpu in prop::collection::vec(0.01..10.0_f64, 1..50), asleep in 0.0..5.0_f64, workers in 1usize..9,
        ) {
            let keys: Vec<Key> = cpu.iter().map(|cpu| Key { cpu: *cpu, asleep, of: 1 }).collect();
            let longest = keys.iter().map(|key| key.cpu + key.asleep).fold(0.0, f64::max);
            let all: f64 = cpu.iter().sum();
            for schedule in [Schedule::One, Schedule::Chunks, Schedule::Greedy, Schedule::PerKey] {
                let time = of_keys(schedule, &keys, workers, TWO);
                prop_assert!(time >= longest.max(all / 2.0) * (1.0 - 1e-9));
                prop_assert!(time <= (all + asleep * cpu.len() as f64) * (1.0 + 1e-9));
            }
        }
    }
}
