//! Shares the work of a window among threads.

use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for each item, and returns the results in the items' order. This thread is one of
/// the `threads`.
///
/// The threads end before the call returns, so that a fork after it has no threads to wait for.
pub(super) fn each<I: Sync, R: Send>(
    threads: NonZeroUsize,
    items: &[I],
    work: impl Fn(&I) -> R + Sync,
) -> Vec<R> {
    let threads = threads.get().min(items.len());
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else {
                return done;
            };
            done.push((place, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|it| panic::resume_unwind(it)));
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_have_the_items_order_and_every_thread_works() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [1, 2, 3] {
            let all = NonZeroUsize::new(threads).unwrap();
            // The first items wait for each other, so that each of them runs on a thread of its
            // own.
            let together = Barrier::new(threads);
            let found = each(all, &items, |item| {
                if *item < threads {
                    together.wait();
                }
                (2 * item, thread::current().id())
            });
            let doubled: Vec<usize> = found.iter().map(|(it, _)| *it).collect();
            assert_eq!(doubled, Vec::from_iter((0..200).step_by(2)));
            let workers: HashSet<_> = found.iter().map(|(_, it)| it).collect();
            assert_eq!(workers.len(), threads);
        }
    }

    #[test]
    fn a_panic_is_the_callers() {
        let two = NonZeroUsize::new(2).unwrap();
        let work = |item: &usize| assert!(*item < 50, "fifty");
        let items: Vec<usize> = (0..100).collect();
        let panicked = panic::catch_unwind(|| each(two, &items, work));
        assert!(panicked.is_err());
    }
}
