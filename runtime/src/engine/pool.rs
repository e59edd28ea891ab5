use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Items that one caller at a time may use; a caller that finds none waits until one is returned.
pub(super) struct Pool<T> {
    size: usize,
    idle: Mutex<Vec<T>>,
    returned: Condvar,
    /// Held by a caller that collects all items: two such callers would wait for each other.
    collecting: Mutex<()>,
}

impl<T> Pool<T> {
    /// A pool of these items. A pool without items would never answer.
    pub(super) fn new(items: Vec<T>) -> Self {
        Self {
            size: items.len(),
            idle: Mutex::new(items),
            returned: Condvar::new(),
            collecting: Mutex::new(()),
        }
    }

    /// How many items there are, idle or not.
    pub(super) fn size(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.size).unwrap_or(NonZeroUsize::MIN)
    }

    /// Takes an item, uses it and returns it, even if `work` panics: otherwise others would wait
    /// forever.
    ///
    /// `None` if no item is returned before the deadline.
    pub(super) fn with<R>(
        &self,
        deadline: Option<Instant>,
        work: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        let mut item = self.take(deadline)?;
        let answer = panic::catch_unwind(AssertUnwindSafe(|| work(&mut item)));
        self.put(item);
        Some(answer.unwrap_or_else(|panic| panic::resume_unwind(panic)))
    }

    /// Waits until all items are returned, and uses each of them once.
    pub(super) fn with_each<R>(&self, work: impl FnMut(&mut T) -> R) -> Vec<R> {
        let _collecting = self
            .collecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut items: Vec<T> = (0..self.size).filter_map(|_| self.take(None)).collect();
        let answers =
            panic::catch_unwind(AssertUnwindSafe(|| items.iter_mut().map(work).collect()));
        for item in items {
            self.put(item);
        }
        answers.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    fn take(&self, deadline: Option<Instant>) -> Option<T> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = idle.pop() {
                return Some(item);
            }
            idle = match deadline.map(|it| it.saturating_duration_since(Instant::now())) {
                None => self
                    .returned
                    .wait(idle)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return None,
                Some(left) => {
                    let woken = self.returned.wait_timeout(idle, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn put(&self, item: T) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(item);
        self.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn as_many_callers_work_at_a_time_as_there_are_items_and_no_more() {
        let pool = Pool::new(vec![(), ()]);
        // Callers that work now, and the most that worked at the same time.
        let (counts, changed) = (Mutex::new((0, 0)), Condvar::new());
        let until = Instant::now() + Duration::from_secs(10);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    pool.with(None, |()| {
                        let mut now = counts.lock().unwrap();
                        now.0 += 1;
                        now.1 = now.1.max(now.0);
                        changed.notify_all();
                        // The first caller waits for a second. If the pool lets in none, the
                        // assertion below fails.
                        let alone = |now: &mut (i32, i32)| now.1 < 2;
                        let left = until.saturating_duration_since(Instant::now());
                        let waited = changed.wait_timeout_while(now, left, alone);
                        waited.unwrap().0.0 -= 1;
                    });
                });
            }
        });
        let (_, most) = counts.into_inner().unwrap();
        assert_eq!(most, 2, "callers that had an item of 2 at the same time");
    }

    #[test]
    fn an_item_comes_back_from_a_panic() {
        let pool = Pool::new(vec![7]);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            pool.with(None, |_| panic::resume_unwind(Box::new("stop")));
        }));
        assert!(panicked.is_err());
        assert_eq!(pool.with(None, |item| *item), Some(7));
    }

    #[test]
    fn who_waits_past_the_deadline_gets_none_and_leaves_the_item_to_others() {
        let pool = Pool::new(vec![7]);
        let past = Instant::now();
        let inner = pool.with(None, |_| pool.with(Some(past), |item| *item));
        assert_eq!(inner, Some(None));
        assert_eq!(pool.with(Some(past), |item| *item), Some(7));
    }

    #[test]
    fn each_item_is_used_once_though_two_collect_them_at_the_same_time() {
        let pool = Pool::new(vec![1, 2, 3]);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut items = pool.with_each(|item| *item);
                    items.sort_unstable();
                    assert_eq!(items, [1, 2, 3]);
                });
            }
        });
    }
}
