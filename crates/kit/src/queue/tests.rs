//! Tests of queue.

use std::time::Duration;

use base::{Clock, Rng, WallTime};

use super::{KEYS_MAX, Next, Order, Priority, Queue};

/// Runs a script and gives what was taken. Words: `a` adds, `a!` adds with high priority, `a?` with
/// low, `a@5` adds after 5 s, `a~` retries, `+5` moves the clock, `<` takes, `a.` is done with `a`,
/// `a0` forgets its failures.
fn run(script: &str) -> String {
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let (mut order, mut rng) = (Order::<String>::default(), Rng::from_seed(1));
    let mut out = Vec::new();
    for word in script.split_whitespace() {
        let key = word[..1].to_owned();
        let now = clock.now();
        match word.as_bytes() {
            b"<" => out.push(match order.take(now) {
                Next::Key(key) => key,
                Next::At(at) => format!("{}s", at.since(now).as_secs()),
                Next::Nothing => "-".to_owned(),
            }),
            [b'+', ..] => handle.advance(Duration::from_secs(word[1..].parse().unwrap())),
            [_] => order.add(key, Priority::Normal),
            [_, b'!'] => order.add(key, Priority::High),
            [_, b'?'] => order.add(key, Priority::Low),
            [_, b'~'] => order.retry(key, now, &mut rng),
            [_, b'.'] => order.done(&key),
            [_, b'0'] => order.forget(&key),
            [_, b'@', ..] => {
                order.add_after(key, Duration::from_secs(word[2..].parse().unwrap()), now);
            }
            _ => panic!("unknown word {word}"),
        }
    }
    out.join(" ")
}

#[track_caller]
fn check(script: &str, expected: &str) {
    assert_eq!(run(script), expected, "{script}");
}

#[test]
fn first_in_first_out() {
    check("a b c < < < <", "a b c -");
}

#[test]
fn twice_is_once() {
    check("a a b a < < <", "a b -");
}

#[test]
fn a_key_is_with_one_worker_only_and_comes_back() {
    check("a < a < a. < a. <", "a - a -");
    check("a < a a! a. < a. <", "a a -");
}

#[test]
fn priority_goes_first_and_can_be_gained() {
    check("a? b c! < < <", "c b a");
    check("a? b a! < < <", "a b -");
    check("a! a? b < < <", "a b -");
}

#[test]
fn the_lowest_is_not_starved() {
    // The eighth take goes to the lowest priority although high ones wait.
    check(
        "z? a! b! c! d! e! f! g! h! < < < < < < < <",
        "a b c d e f g z",
    );
}

#[test]
fn delays_are_kept_and_the_sooner_counts() {
    check("a@5 < +5 <", "5s a");
    check("a@5 a@2 < +2 < +3 <", "2s a -");
    check("a@2 a@5 +2 < a. < +3 <", "a - -");
    check("a@5 b < <", "b 5s");
}

#[test]
fn a_delayed_key_that_is_added_comes_now_and_again_later() {
    check("a@5 a < a. < +5 <", "a 5s a");
}

#[test]
fn failures_double_the_delay_up_to_the_longest() {
    let mut rng = Rng::from_seed(1);
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let mut order = Order::default();
    order.add("a", Priority::Normal);
    for full_ms in [5_u64, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560] {
        assert_eq!(order.take(clock.now()), Next::Key("a"));
        order.retry("a", clock.now(), &mut rng);
        order.done(&"a");
        let Next::At(at) = order.take(clock.now()) else {
            panic!("the key waits");
        };
        let (delay, full) = (at.since(clock.now()), Duration::from_millis(full_ms));
        assert!(delay <= full && delay >= full.mul_f64(0.75), "{delay:?}");
        handle.advance(delay);
    }
    for _ in 0..30 {
        order.retry("a", clock.now(), &mut rng);
        handle.advance(Duration::from_secs(61));
        assert_eq!(order.take(clock.now()), Next::Key("a"));
        order.done(&"a");
    }
}

#[test]
fn a_forgotten_failure_leaves_nothing_behind() {
    let mut order = Order::default();
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    order.add("a", Priority::Normal);
    assert_eq!(order.take(clock.now()), Next::Key("a"));
    order.retry("a", clock.now(), &mut Rng::from_seed(1));
    order.done(&"a");
    handle.advance(Duration::from_secs(1));
    assert_eq!(order.take(clock.now()), Next::Key("a"));
    order.forget(&"a");
    order.done(&"a");
    assert!(order.is_empty());
}

#[test]
fn refuses_more_keys_than_it_may_hold_and_says_so() {
    let mut order = Order::default();
    for key in 0..KEYS_MAX {
        order.add(key, Priority::Normal);
    }
    order.add(KEYS_MAX, Priority::Normal);
    order.add(0, Priority::High);
    assert_eq!((order.len(), order.take_refused()), (KEYS_MAX, 1));
    assert_eq!(order.take_refused(), 0);
}

#[tokio::test]
async fn a_delayed_key_is_not_kept_waiting_by_a_busy_worker() {
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let queue = Queue::new(clock, Rng::from_seed(1));
    let (one, two) = (queue.clone(), queue.clone());
    queue.add_after("late", Duration::from_secs(9));
    // Both wait; the one that holds the timer takes the key and is busy with it for ever.
    let worker = |queue: Queue<&'static str>| async move {
        if queue.next().await == "busy" {
            std::future::pending::<()>().await;
        }
    };
    let workers = async {
        tokio::select! {
            () = worker(one) => {}
            () = worker(two) => {}
        }
    };
    let script = async {
        tokio::task::yield_now().await;
        queue.add("busy");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        handle.advance(Duration::from_secs(9));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        panic!("nobody took the delayed key");
    };
    tokio::select! {
        () = workers => {}
        () = script => {}
    }
}

#[tokio::test]
async fn wakes_every_worker_that_has_something_to_do() {
    let (clock, handle) = Clock::fake(WallTime::from_secs(0));
    let queue = Queue::new(clock, Rng::from_seed(1));
    let (one, two) = (queue.clone(), queue.clone());
    queue.add_after("late", Duration::from_secs(9));
    let (first, second, ()) = tokio::join!(one.next(), two.next(), async {
        queue.add("a");
        handle.advance(Duration::from_secs(9));
    });
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(both, ["a", "late"]);
    queue.done(&"a");
    queue.done(&"late");
    assert!(queue.is_empty() && queue.try_next().is_none());
}
