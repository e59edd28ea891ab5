//! Answers parts: one thread reads them, some ask the model, and one writes.
//!
//! Windows wait in a queue that has as many places as there are asking threads, so that memory
//! holds only a few parts, however many there are. While the engine computes the window of one
//! thread, that of another is tokenized.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};

use crate::input::{Source, Table, Wanted, open};
use crate::plan::Part;
use crate::scorer::{Cell, Scored, Scorer, WINDOW};
use crate::{Counts, Progress, ScoreError, Work, digest};

/// What happens if a row can't be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The row gets an error and no answer, and the work goes on.
    #[default]
    Null,
    /// The work stops.
    Fail,
}

/// Windows that are answered at the same time: while the engine computes the batches of one, the
/// texts of the other are tokenized.
const WINDOWS: usize = 2;

/// Some rows of a part.
struct Job {
    part: usize,
    /// The window's index in the part.
    window: usize,
    table: Arc<Table>,
}

/// The answers to a job's rows.
struct Done {
    job: Job,
    scored: Scored,
}

/// Answers parts, and writes each of them to its file.
///
/// The texts of one window are tokenized while the model computes another. No answer depends on how
/// many runs the engine computes at the same time, or on which other processes work.
///
/// # Errors
/// [`ScoreError::Read`]; [`ScoreError::Differs`] if an input has changed; [`ScoreError::Write`];
/// [`ScoreError::Row`] with [`OnError::Fail`]. Parts that were done before stay done.
pub fn run(
    work: &Work,
    parts: &[usize],
    scorer: &dyn Scorer,
    on_error: OnError,
    progress: &Progress,
) -> Result<(), ScoreError> {
    let (jobs, to_do) = sync_channel::<Result<Job, ScoreError>>(WINDOWS);
    let to_do = Arc::new(Mutex::new(to_do));
    let (done, answered) = sync_channel(WINDOWS);
    thread::scope(|scope| {
        scope.spawn(move || read(work, parts, &jobs, progress));
        for _ in 0..WINDOWS {
            let (to_do, done) = (to_do.clone(), done.clone());
            scope.spawn(move || ask(scorer, &to_do, &done, progress));
        }
        // Only the threads may hold the ends of the queues, so that each queue closes when its
        // threads end.
        drop((to_do, done));
        let written = write(work, answered, on_error, progress);
        if written.is_err() {
            progress.stop();
        }
        written
    })
}

/// Reads parts and passes on their windows.
fn read(
    work: &Work,
    parts: &[usize],
    jobs: &SyncSender<Result<Job, ScoreError>>,
    progress: &Progress,
) {
    let mut inputs = Inputs::new(work);
    for &part in parts {
        if progress.is_stopped() {
            return;
        }
        let table = match inputs.read(part) {
            Ok(table) => Arc::new(table),
            Err(error) => {
                let _ = jobs.send(Err(error));
                return;
            }
        };
        for window in 0..table.columns.num_rows().div_ceil(WINDOW) {
            let job = Job {
                part,
                window,
                table: table.clone(),
            };
            if jobs.send(Ok(job)).is_err() {
                return;
            }
        }
    }
}

/// Answers windows until there are no more.
fn ask(
    scorer: &dyn Scorer,
    to_do: &Mutex<Receiver<Result<Job, ScoreError>>>,
    done: &SyncSender<Result<Done, ScoreError>>,
    progress: &Progress,
) {
    loop {
        let job = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if progress.is_stopped() {
            return;
        }
        let answered = job.and_then(|job| {
            let texts = job.texts();
            let scored = scorer.score(&texts)?;
            Ok(Done { job, scored })
        });
        if done.send(answered).is_err() {
            return;
        }
    }
}

/// Collects windows, and writes each part that is complete.
fn write(
    work: &Work,
    answered: Receiver<Result<Done, ScoreError>>,
    on_error: OnError,
    progress: &Progress,
) -> Result<(), ScoreError> {
    let mut open: BTreeMap<usize, BTreeMap<usize, Done>> = BTreeMap::new();
    for done in answered {
        let done = done?;
        let part = done.job.part;
        if let (OnError::Fail, Some((row, reason))) = (on_error, &done.scored.first_error) {
            let before = work.plan().rows_before(part) + (done.job.window * WINDOW) as u64;
            return Err(ScoreError::Row {
                row: before + *row as u64,
                reason: reason.clone(),
            });
        }
        progress.add(done.counts());
        let windows = done.job.table.columns.num_rows().div_ceil(WINDOW);
        let of_part = open.entry(part).or_default();
        of_part.insert(done.job.window, done);
        if of_part.len() == windows
            && let Some(of_part) = open.remove(&part)
        {
            let counts = of_part.values().map(Done::counts);
            let counts = counts.fold(Counts::default(), Counts::and);
            let batches = of_part.into_values().map(|it| it.batch(work));
            let batches = batches.collect::<Result<Vec<_>, _>>()?;
            work.commit(part, &batches, counts)?;
            progress.add_part();
        }
    }
    Ok(())
}

impl Job {
    fn first_row(&self) -> usize {
        self.window * WINDOW
    }

    fn rows(&self) -> usize {
        (self.table.columns.num_rows() - self.first_row()).min(WINDOW)
    }

    fn texts(&self) -> Vec<Vec<Cell>> {
        let of_window = |cells: &Vec<Cell>| {
            let cells = cells.iter().skip(self.first_row());
            cells.take(self.rows()).cloned().collect()
        };
        self.table.texts.iter().map(of_window).collect()
    }
}

impl Done {
    fn counts(&self) -> Counts {
        Counts {
            rows: self.job.rows() as u64,
            failed: self.scored.failed as u64,
            truncated: self.scored.truncated as u64,
            tokens: self.scored.tokens,
        }
    }

    /// The rows as the output has them.
    fn batch(self, work: &Work) -> Result<RecordBatch, ScoreError> {
        let (first, rows) = (self.job.first_row(), self.job.rows());
        let kept = self.job.table.columns.slice(first, rows);
        let mut columns: Vec<ArrayRef> = kept.columns().to_vec();
        if work.plan().row_index.is_some() {
            let start = (work.plan().rows_before(self.job.part) + first as u64) as i64;
            let numbers = Int64Array::from_iter_values(start..start + rows as i64);
            columns.push(Arc::new(numbers));
        }
        columns.extend(self.scored.columns);
        Ok(RecordBatch::try_new(work.plan().schema(), columns)?)
    }
}

/// The inputs of a plan, of which one is open at a time.
struct Inputs<'w> {
    work: &'w Work,
    wanted: Wanted,
    current: Option<(usize, Box<dyn Source>)>,
}

impl<'w> Inputs<'w> {
    fn new(work: &'w Work) -> Self {
        Self {
            work,
            wanted: work.plan().wanted(),
            current: None,
        }
    }

    fn read(&mut self, number: usize) -> Result<Table, ScoreError> {
        let parts = &self.work.plan().parts;
        let part: &Part = parts.get(number).ok_or(ScoreError::NoPart {
            part: number,
            last: parts.len().saturating_sub(1),
        })?;
        match &mut self.current {
            Some((input, source)) if *input == part.input => source.read(part, &self.wanted),
            _ => {
                let mut source = self.open(part.input)?;
                let table = source.read(part, &self.wanted);
                self.current = Some((part.input, source));
                table
            }
        }
    }

    /// Opens an input at its present path, after checking that it is the one that was planned.
    fn open(&self, number: usize) -> Result<Box<dyn Source>, ScoreError> {
        let plan = self.work.plan();
        let input = plan.inputs.get(number).ok_or(ScoreError::NoRow)?;
        let from_plan = self.work.folder().join(&input.from_plan);
        let path: PathBuf = match input.path.is_file() {
            true => input.path.clone(),
            false => from_plan,
        };
        let (size, digest) = digest::of_samples(&path)?;
        if (size, &digest) != (input.size, &input.digest) {
            return Err(ScoreError::Differs {
                what: path.display().to_string(),
                planned: format!("{} bytes of digest {}", input.size, input.digest),
                now: format!("{size} bytes of digest {digest}"),
            });
        }
        open(&path, input.format, plan.lines)
    }
}
