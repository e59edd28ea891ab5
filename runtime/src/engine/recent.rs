use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A cache of the values whose keys were used last; each value is made once.
pub(super) struct Recent<K, V> {
    capacity: usize,
    /// The most that the sizes of all values may add up to.
    room: u64,
    size: fn(&V) -> u64,
    /// The most recently used entry first. A value that is still being made has its entry already,
    /// so that others can wait for it.
    entries: Mutex<Vec<Entry<K, V>>>,
}

type Entry<K, V> = (K, Arc<OnceLock<V>>);

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            room: u64::MAX,
            size: |_| 0,
            entries: Mutex::new(Vec::new()),
        }
    }

    /// Limits the total size of the values that are kept; a value that is larger than `room` is not
    /// kept.
    pub(super) fn within(self, room: u64, size: fn(&V) -> u64) -> Self {
        Self { room, size, ..self }
    }

    /// The value of a key; if there is none, `make` makes it, and callers with other keys don't
    /// wait.
    pub(super) fn get_or_make(&self, key: K, make: impl FnOnce() -> V) -> V {
        let entry = self.entry(key);
        let mut made = false;
        let make = || {
            made = true;
            make()
        };
        let value = entry.get_or_init(make).clone();
        if made {
            self.make_room();
        }
        value
    }

    fn entry(&self, key: K) -> Arc<OnceLock<V>> {
        let mut entries = self.lock();
        let found = entries.iter().position(|(it, _)| *it == key);
        let (key, value) = match found {
            Some(index) => entries.remove(index),
            None => (key, Arc::default()),
        };
        entries.insert(0, (key, Arc::clone(&value)));
        entries.truncate(self.capacity);
        value
    }

    /// Drops the values that don't fit beside those that were used more recently.
    fn make_room(&self) {
        let mut left = self.room;
        self.lock().retain(|(_, value)| {
            let size = value.get().map_or(0, self.size);
            let fits = size <= left;
            if fits {
                left -= size;
            }
            fits
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry<K, V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn values_have_no_more_room_together_than_they_are_given() {
        let recent = Recent::new(usize::MAX).within(10, |it| *it);
        let mut made = Vec::new();
        // 8 drops 4, the least recently used value; 11 is never kept, and drops nothing.
        for key in [4, 2, 2, 8, 2, 11, 8, 11, 4] {
            recent.get_or_make(key, || {
                made.push(key);
                key
            });
        }
        assert_eq!(made, [4, 2, 8, 11, 11, 4]);
        let kept: u64 = recent.lock().iter().map(|(key, _)| key).sum();
        assert!(kept <= 10, "{kept}");
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
