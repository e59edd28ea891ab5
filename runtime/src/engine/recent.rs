use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The values of the keys that were used last, each made once.
pub(super) struct Recent<K, V> {
    capacity: usize,
    /// The sizes of all values together, at most.
    room: u64,
    size: fn(&V) -> u64,
    /// The latest one first. A value that is being made is there already, for others to wait for.
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

    /// Keeps no more values than have this size together; one that is larger by itself is not kept.
    pub(super) fn within(self, room: u64, size: fn(&V) -> u64) -> Self {
        Self { room, size, ..self }
    }

    /// The value of a key, made by `make` where there is none; other keys don't wait for it.
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

    /// Drops what has no room beside the later ones.
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
        // 8 drops 4, the least recently used; 11 is never kept, and drops nothing.
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
