use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, PoisonError};

/// Things that one caller at a time may use; who finds none waits for one to come back.
pub(super) struct Pool<T> {
    idle: Mutex<Vec<T>>,
    returned: Condvar,
}

impl<T> Pool<T> {
    /// A pool of these; one without any would never answer.
    pub(super) fn new(items: Vec<T>) -> Self {
        Self {
            idle: Mutex::new(items),
            returned: Condvar::new(),
        }
    }

    /// Takes one, uses it and puts it back, also when `work` panics: else others wait forever.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut item = self.take();
        let answer = panic::catch_unwind(AssertUnwindSafe(|| work(&mut item)));
        self.put(item);
        answer.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    fn take(&self) -> T {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match idle.pop() {
                Some(item) => return item,
                None => {
                    let woken = self.returned.wait(idle);
                    idle = woken.unwrap_or_else(PoisonError::into_inner);
                }
            }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_callers_work_at_a_time_than_there_are_items() {
        let pool = Pool::new(vec![(), ()]);
        let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    pool.with(|()| {
                        most.fetch_max(
                            1 + working.fetch_add(1, Ordering::SeqCst),
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        working.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        let most = most.into_inner();
        assert!(
            (1..=2).contains(&most),
            "{most} callers had an item of 2 at the same time"
        );
    }

    #[test]
    fn an_item_comes_back_from_a_panic() {
        let pool = Pool::new(vec![7]);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            pool.with(|_| panic::resume_unwind(Box::new("stop")));
        }));
        assert!(panicked.is_err());
        assert_eq!(pool.with(|item| *item), 7);
    }
}
