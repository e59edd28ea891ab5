use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The values of the keys that were used last, each made once.
pub(super) struct Recent<K, V> {
    capacity: usize,
    /// The latest one first. A value that is being made is there already, for others to wait for.
    entries: Mutex<Vec<(K, Arc<OnceLock<V>>)>>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::new(Vec::new()),
        }
    }

    /// The value of a key, made by `make` where there is none; other keys don't wait for it.
    pub(super) fn get_or_make(&self, key: K, make: impl FnOnce() -> V) -> V {
        self.entry(key).get_or_init(make).clone()
    }

    fn entry(&self, key: K) -> Arc<OnceLock<V>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().position(|(it, _)| *it == key);
        let (key, value) = match found {
            Some(index) => entries.remove(index),
            None => (key, Arc::default()),
        };
        entries.insert(0, (key, Arc::clone(&value)));
        entries.truncate(self.capacity);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_value_is_made_again_and_the_others_are_not() {
        let recent = Recent::new(2);
        let mut made = Vec::new();
        for key in [1, 2, 1, 3, 1, 2] {
            let value = recent.get_or_make(key, || {
                made.push(key);
                10 * key
            });
            assert_eq!(value, 10 * key);
        }
        assert_eq!(made, [1, 2, 3, 2]);
    }

    #[test]
    fn threads_that_want_the_same_value_make_it_once() {
        let recent = Recent::new(1);
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    recent.get_or_make("key", || {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
                    })
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
