//! A long life of one process: a million short texts, and the memory that it has meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{Finish, built, nezha, root};

const CHECKPOINT: &str = "models/nezha-tiny-zh-sentiment";

/// From here on memory is compared: every buffer has been filled many times by then.
const SETTLED: usize = 10_000;

/// Texts that follow the last one, so that the process is there to be measured: more than the
/// pipeline reads ahead.
const MORE: usize = 5_000;

/// Growth of resident memory that is no leak.
const TOLERANCE: f64 = 0.05;

/// What is asked of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Soak {
    /// Texts that one process answers.
    #[arg(long, default_value_t = 1_000_000)]
    texts: usize,
    /// The engines, each in a process of its own.
    #[arg(long, value_delimiter = ',', default_value = "ort:cpu,tract")]
    engines: Vec<String>,
    /// Which texts they are; the same number makes the same texts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A `nezha` that is there; by default it is built.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What became of one process.
struct Lived {
    engine: String,
    texts: usize,
    seconds: f64,
    settled: u64,
    last: u64,
    largest: u64,
}

impl Lived {
    fn growth(&self) -> f64 {
        self.last as f64 / self.settled as f64 - 1.0
    }
}

/// Runs the engines one after the other, and writes a dated result.
pub(crate) fn soak(options: &Soak) -> Result<()> {
    if options.texts <= SETTLED {
        bail!("--texts {}: expected more than {SETTLED}", options.texts);
    }
    let exported = root().join("target/soak");
    let mut export = command(options);
    export.args(["export", CHECKPOINT, "--force", "-o"]);
    export.arg(&exported).finish()?;
    let lines = fs::read_to_string(root().join(CHECKPOINT).join("heldout.tsv"))?;
    let engines = options.engines.iter();
    let lived = engines
        .map(|engine| live(options, engine, &exported, &lines))
        .collect::<Result<Vec<_>>>()?;
    let report = report(options, &lived);
    print!("{report}");
    let date = jiff::Zoned::now().date();
    let file = root().join(format!("benches/results/{date}-soak.md"));
    #[expect(
        clippy::disallowed_methods,
        reason = "a result that is cut off is seen"
    )]
    fs::write(&file, report).with_context(|| file.display().to_string())?;
    match lived.iter().find(|it| it.growth() > TOLERANCE) {
        Some(it) => bail!("{}: memory grew by {:.1} %", it.engine, 100.0 * it.growth()),
        None => Ok(()),
    }
}

fn command(options: &Soak) -> Command {
    match &options.binary {
        Some(binary) => Command::new(binary),
        None => nezha(),
    }
}

/// One process that answers all texts.
fn live(options: &Soak, engine: &str, model: &Path, lines: &str) -> Result<Lived> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        // `cargo run`, which made it for the export, is another process than the one to measure.
        None => built()?,
    };
    let mut child = Command::new(&binary)
        .arg("text-classification")
        .arg(model)
        // Where other work waits for the processor, the threads of a run wait for each other.
        .args(["--json", "--engine", engine, "--threads", "1"])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| binary.display().to_string())?;
    let stdin = child.stdin.take().context("no standard input")?;
    let mut texts = Texts::new(lines, options.seed)?;
    let count = options.texts;
    let asking = thread::spawn(move || texts.write(count + MORE, stdin));
    let begin = Instant::now();
    let memory = watch(&mut child, count);
    let seconds = begin.elapsed().as_secs_f64();
    let status = child.wait()?;
    let (settled, last, largest) = memory?;
    match asking.join() {
        Ok(asked) => asked?,
        Err(_) => bail!("{engine}: the texts could not be written"),
    }
    if !status.success() {
        bail!("{engine}: ended with {status}");
    }
    Ok(Lived {
        engine: engine.to_owned(),
        texts: count,
        seconds,
        settled,
        last,
        largest,
    })
}

/// Resident memory when `SETTLED` texts and when `count` are answered, and the most in between.
fn watch(child: &mut Child, count: usize) -> Result<(u64, u64, u64)> {
    let stdout = child.stdout.take().context("no standard output")?;
    let (mut answered, mut settled, mut last, mut largest) = (0, 0, 0, 0);
    // All of it is read, or the process would wait for ever.
    for line in BufReader::new(stdout).lines() {
        // An entry of the JSON document is a line.
        answered += usize::from(line?.starts_with('{'));
        if answered > count || (answered % SETTLED != 0 && answered != count) || answered == 0 {
            continue;
        }
        last = resident(child.id())?;
        if answered == SETTLED {
            settled = last;
        }
        if answered >= SETTLED {
            largest = largest.max(last);
        }
    }
    match answered == count + MORE {
        true => Ok((settled, last, largest)),
        false => bail!("{answered} answers, expected {}", count + MORE),
    }
}

/// Resident memory of a process, in bytes.
fn resident(process: u32) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| file.clone())?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(1024 * kilobytes.with_context(|| format!("{file}: no VmRSS"))?)
}

/// Texts of 4 to 24 characters out of real ones, put together at random.
struct Texts {
    characters: Vec<char>,
    state: u64,
}

impl Texts {
    fn new(lines: &str, seed: u64) -> Result<Self> {
        let texts = lines.lines().filter_map(|line| line.rsplit('\t').next());
        let characters: Vec<char> = texts
            .flat_map(str::chars)
            .filter(|it| !it.is_whitespace() && *it != '{')
            .collect();
        match characters.len() > 1000 {
            true => Ok(Self {
                characters,
                state: seed,
            }),
            false => bail!("{CHECKPOINT}: too few texts"),
        }
    }

    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % end as u64) as usize
    }

    /// Two pieces of the texts, so that hardly any comes twice.
    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..2 {
            let length = 2 + self.below(11);
            let start = self.below(self.characters.len() - length);
            text.extend(&self.characters[start..start + length]);
        }
        text
    }

    fn write(&mut self, count: usize, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let written = (0..count).try_for_each(|_| writeln!(out, "{}", self.text()));
        match written.and_then(|()| out.flush()) {
            // The process has ended, and says why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

fn report(options: &Soak, lived: &[Lived]) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let mut report = format!(
        "# A long life of one process\n\n\
         `cargo xtask soak --texts {} --engines {} --seed {}`, {}. `nezha text-classification --json --threads 1` \
         over texts of\n4 to 24 characters made of `{CHECKPOINT}/heldout.tsv`, one process for each \
         engine. Resident memory is\n`VmRSS` when so many texts are answered; it may grow by {:.0} %.\n\n\
         | engine | texts | seconds | after {SETTLED} | at the end | at most | growth |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
        options.texts,
        options.engines.join(","),
        options.seed,
        jiff::Zoned::now().date(),
        100.0 * TOLERANCE,
    );
    for it in lived {
        let _ = writeln!(
            report,
            "| {} | {} | {:.0} | {:.1} MB | {:.1} MB | {:.1} MB | {:.1} % |",
            it.engine,
            it.texts,
            it.seconds,
            mb(it.settled),
            mb(it.last),
            mb(it.largest),
            100.0 * it.growth(),
        );
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_lines_and_the_same_for_the_same_seed() {
        let lines = "1\t".to_owned() + &"很好喝，推荐 ".repeat(300);
        let texts = |seed| {
            let mut written = Vec::new();
            let mut texts = Texts::new(&lines, seed).unwrap();
            texts.write(1000, &mut written).unwrap();
            String::from_utf8(written).unwrap()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
        let counts = texts(3);
        let counts: Vec<usize> = counts.lines().map(|it| it.chars().count()).collect();
        assert_eq!(counts.len(), 1000);
        let outside = counts.iter().find(|it| !(4..=24).contains(*it));
        assert_eq!(outside, None);
    }
}
