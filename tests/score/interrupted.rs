//! Runs that are killed, out of disk, or side by side.
#![cfg(target_os = "linux")]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use testkit::command::stderr;
use testkit::faults::{moments, with_mounts};
use wait4::Wait4;

use super::*;

/// Waits for a run at most this long and kills it then: whether it ended by itself, and well.
fn ended_within(child: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "a run that nobody killed: {status}");
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_some()
}

/// Kills runs over 20,000 rows until there were so many, each output compared with that of a run that
/// nobody killed.
fn killed(kills: usize, input_name: &str, output_name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join(input_name);
    let rows = texts(20_000);
    match input_name.ends_with("parquet") {
        true => parquet_file(&input, &rows, 3000),
        false => json_file(&input, &rows),
    }
    let more = ["--part-rows", "256"];
    let whole = folder.path().join(format!("whole-{output_name}"));
    let start = Instant::now();
    succeeded(ran(&mut scoring(&input, &whole, &more)));
    let duration = start.elapsed();

    let output = folder.path().join(output_name);
    let (mut killed, mut begun_again, mut finished) = (0, 0, 0);
    for moment in moments() {
        // A run of its own would end after `duration`: a few runs make an output.
        let mut child = scoring(&input, &output, &more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if ended_within(&mut child, duration.mul_f64(moment * 0.15)) {
            assert_same(&whole, &output);
            finished += 1;
            fs::remove_file(&output).unwrap();
        } else {
            killed += 1;
            let parts = parts_of(&output);
            begun_again += usize::from(parts.join("plan.json").exists());
        }
        if killed == kills {
            break;
        }
        assert!(
            finished < kills,
            "only {killed} of {kills} runs were caught"
        );
    }
    assert!(
        begun_again > kills / 2,
        "only {begun_again} of {kills} kills left a plan"
    );

    succeeded(ran(&mut scoring(&input, &output, &more)));
    assert_same(&whole, &output);
    if output_name.ends_with("parquet") {
        assert_eq!(ids(&output), Vec::from_iter(0..20_000));
    }
    let manifests = ["whole-", ""].map(|it| format!("{it}{output_name}.nezha.json"));
    let whole_name = format!("whole-{output_name}");
    assert_only(
        folder.path(),
        &[
            input_name,
            &whole_name,
            output_name,
            &manifests[0],
            &manifests[1],
        ],
    );
}

#[test]
fn sixty_kills_lose_no_row_of_parquet_and_bring_none_twice() {
    killed(60, "reviews.parquet", "scored.parquet");
}

#[test]
fn forty_kills_lose_no_line_of_json_and_bring_none_twice() {
    killed(40, "reviews.jsonl", "scored.csv");
}

#[test]
fn of_two_runs_at_once_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("reviews.parquet");
    parquet_file(&input, &texts(20_000), 5000);
    let output = folder.path().join("scored.parquet");
    let mut first = scoring(&input, &output, &[])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while !parts_of(&output).join("plan.json").exists() {
        assert!(Instant::now() < until, "no plan after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = ran(&mut scoring(&input, &output, &[]));
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(
        stderr(&second).contains("another run is using this folder"),
        "{second:?}"
    );
    assert!(first.wait().unwrap().success());
    assert_eq!(ids(&output), Vec::from_iter(0..20_000));
}

#[test]
fn ctrl_c_ends_with_the_command_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("the reviews.parquet");
    parquet_file(&input, &texts(20_000), 5000);
    let output = folder.path().join("scored.parquet");
    let child = scoring(&input, &output, &["--part-rows", "256"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while !parts_of(&output).join("part-00000.parquet").exists() {
        assert!(Instant::now() < until, "no part after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let stopped = child.wait_with_output().unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    let said = stderr(&stopped);
    let command = said.lines().last().unwrap();
    assert!(
        command.contains(&format!("score '{}' -o", input.display())),
        "{said}"
    );
    let mut shell = Command::new("sh");
    let again = succeeded(ran(shell.args(["-c", command])));
    assert!(
        stderr(&again).contains("of 20000 rows were done before"),
        "{again:?}"
    );
    assert_eq!(ids(&output), Vec::from_iter(0..20_000));
}

#[test]
fn progress_as_json_ends_with_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.parquet"].map(|it| folder.path().join(it));
    parquet_file(&input, &texts(500), 500);
    let mut command = Command::new(NEZHA);
    command
        .arg("score")
        .arg(&input)
        .arg("-o")
        .arg(&output)
        .arg("--model")
        .arg(model());
    command.args(["--engine", "tract", "--progress", "json"]);
    let scored = succeeded(ran(&mut command));
    let last = stderr(&scored).lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap_or_else(|it| panic!("{it}: {last}"));
    assert_eq!([&last["rows"], &last["rows_total"]], [500, 500]);
    assert_eq!(last["parts"], 1);
    assert!(last["tokens_per_second"].as_f64().unwrap() > 0.0, "{last}");
}

#[test]
fn a_full_disk_leaves_whole_parts_and_the_work_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("reviews.parquet");
    parquet_file(&input, &texts(4000), 1000);
    let mut codes = Vec::new();
    for kilobytes in [20, 100, 200, 400, 20_000] {
        let target = folder.path().join(format!("disk-{kilobytes}"));
        fs::create_dir(&target).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={kilobytes}k tmpfs \"$2\"
             score() {{ \"$1\" score \"$3\" -o \"$2\"/scored.parquet --model \"$4\" --part-rows 256 \
                        --engine tract --threads 1 --progress none; }}
             code=0; score \"$@\" >&2 || code=$?
             mount -o remount,size=20000k \"$2\"
             score \"$@\" >&2
             cp \"$2\"/scored.parquet \"$5\"
             ls -A \"$2\" >&2
             exit $code"
        );
        let kept = folder.path().join("kept.parquet");
        let output = with_mounts(
            &script,
            &[Path::new(NEZHA), &target, &input, model(), &kept],
        );
        let code = output.status.code();
        if code == Some(1) {
            let message = stderr(&output);
            assert!(
                message.contains("No space left"),
                "{kilobytes} kB: {output:?}"
            );
        }
        assert_eq!(
            ids(&kept),
            Vec::from_iter(0..4000),
            "{kilobytes} kB: {output:?}"
        );
        codes.push(code);
    }
    for code in [0, 1] {
        assert!(
            codes.contains(&Some(code)),
            "no run ended with {code}: {codes:?}"
        );
    }
}

#[test]
fn a_million_rows_need_no_more_memory_than_twenty_thousand() {
    let folder = tempfile::tempdir().unwrap();
    let peak = |rows: usize| {
        let input = folder.path().join(format!("{rows}.csv"));
        // One row in a hundred has a text: what has none costs no inference, and as much memory.
        let line = |row: usize| match row % 100 {
            0 => format!("{row},房间很干净\n"),
            _ => format!("{row},\n"),
        };
        let lines: String = (0..rows).map(line).collect();
        fs::write(&input, format!("id,text\n{lines}")).unwrap();
        let output = folder.path().join(format!("{rows}.parquet"));
        let mut child = scoring(&input, &output, &[]).spawn().unwrap();
        let used = child.wait4().unwrap();
        assert!(used.status.success());
        let count: usize = parquet_rows(&output)
            .iter()
            .map(RecordBatch::num_rows)
            .sum();
        assert_eq!(count, rows);
        used.rusage.maxrss
    };
    let [few, many] = [20_000, 1_000_000].map(peak);
    let more = many.saturating_sub(few);
    assert!(
        more < 32 << 20,
        "peak memory: {few} bytes for 20,000 rows, {many} for 1,000,000"
    );
}
