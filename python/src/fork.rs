//! Processes that fork: objects that were open before are opened again, and inherited engines are
//! left alone.
//!
//! An engine's threads do not survive a fork, and its destructors wait for them. So an object
//! remembers the process that opened it. In another process it forgets the engine without dropping
//! it, and opens its own at the first use. For the same reason, a child process ends without the
//! libraries' exit handlers.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::failure::{Class, Failure};
use crate::foreign;

/// The number of forks between the process that loaded the module and this one. The process id
/// isn't enough: a child in a namespace of its own may have the same id as its parent.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Whether an engine was opened in this process or in an ancestor.
static OPENED: AtomicBool = AtomicBool::new(false);

/// Must run in the child after each fork.
#[pyfunction]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    if OPENED.load(Ordering::Relaxed) {
        foreign::end_without_inherited_handlers();
    }
}

/// Identifies this process.
fn this_process() -> (u32, u64) {
    (process::id(), FORKS.load(Ordering::Relaxed))
}

/// Computes without the interpreter's lock; a panic becomes an error.
pub(crate) fn detached<R: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<R, Failure> + Send,
) -> PyResult<R> {
    let done = py.detach(|| panic::catch_unwind(AssertUnwindSafe(work)));
    done.unwrap_or_else(|panic| Err(Failure::panic(panic.as_ref())))
        .map_err(PyErr::from)
}

/// Computes in a thread pool of this process: the shared pool may be a parent's, whose threads
/// don't exist here.
pub(crate) fn in_own_pool<R: Send>(
    work: impl FnOnce() -> Result<R, Failure> + Send,
) -> Result<R, Failure> {
    if FORKS.load(Ordering::Relaxed) == 0 {
        return work();
    }
    let pool = rayon::ThreadPoolBuilder::new().build();
    let pool = pool.map_err(|error| Failure::new(Class::Engine, error.to_string()))?;
    pool.install(work)
}

type Open<T> = dyn Fn() -> Result<T, Failure> + Send + Sync;

/// Something that is opened once in each process that uses it.
pub(crate) struct Reopened<T> {
    open: Box<Open<T>>,
    /// Locked only while the interpreter's lock is held, and never during a call, so that no fork
    /// finds it locked.
    opened: Mutex<Opened<T>>,
}

enum Opened<T> {
    In((u32, u64), Arc<T>),
    Closed,
}

impl<T: Send + Sync> Reopened<T> {
    /// Opens it in this process.
    pub(crate) fn new(
        py: Python<'_>,
        open: impl Fn() -> Result<T, Failure> + Send + Sync + 'static,
    ) -> PyResult<Self> {
        OPENED.store(true, Ordering::Relaxed);
        let opened = detached(py, &open)?;
        Ok(Self {
            open: Box::new(open),
            opened: Mutex::new(Opened::In(this_process(), Arc::new(opened))),
        })
    }

    /// The object that is open in this process; opens it if necessary.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<Arc<T>> {
        match &*self.lock() {
            Opened::In(process, opened) if *process == this_process() => {
                return Ok(Arc::clone(opened));
            }
            Opened::In(..) => {}
            Opened::Closed => {
                return Err(
                    Failure::new(Class::Input, "the object is closed: open a new one").into(),
                );
            }
        }
        let opened = Arc::new(detached(py, &self.open)?);
        let mut place = self.lock();
        match &*place {
            // Another thread of this process was faster.
            Opened::In(process, sooner) if *process == this_process() => Ok(Arc::clone(sooner)),
            _ => {
                let new = Opened::In(this_process(), Arc::clone(&opened));
                leave(mem::replace(&mut *place, new));
                Ok(opened)
            }
        }
    }

    /// Frees it; runs that have begun are finished first.
    pub(crate) fn close(&self, py: Python<'_>) {
        let opened = mem::replace(&mut *self.lock(), Opened::Closed);
        py.detach(|| leave(opened));
    }

    fn lock(&self) -> MutexGuard<'_, Opened<T>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Reopened<T> {
    fn drop(&mut self) {
        let opened = self
            .opened
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        leave(mem::replace(opened, Opened::Closed));
    }
}

/// Drops what this process has opened, and forgets what it has inherited.
fn leave<T>(opened: Opened<T>) {
    if let Opened::In(process, opened) = opened
        && process != this_process()
    {
        mem::forget(opened);
    }
}
