//! A web service: clients POST a text and get its labels as JSON. One pipeline serves all threads.
//!
//! ```text
//! nezha export models/nezha-tiny-zh-sentiment -o out
//! cargo run --release --example web_service -- out 127.0.0.1:8080
//! curl --data '房间很干净，服务热情。' http://127.0.0.1:8080
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use std::error::Error;
use std::io::Read;
use std::{env, thread};

use nezha_onnx::runtime::TextClassification;
use tiny_http::{Request, Response, Server};

/// Requests that are answered at the same time.
const THREADS: usize = 4;
/// Bytes of a text, at most.
const LONGEST: u64 = 64 << 10;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = env::args().skip(1);
    let (Some(folder), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("expected an exported folder and an address".into());
    };
    let classifier = TextClassification::load(folder)?;
    let server = Server::http(address)?;
    println!("http://{}", server.server_addr());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for mut request in server.incoming_requests() {
                    let response = match labels(&classifier, &mut request) {
                        Ok(json) => Response::from_string(json),
                        Err(error) => {
                            Response::from_string(error.to_string()).with_status_code(400)
                        }
                    };
                    // The client may have disconnected.
                    let _ = request.respond(response);
                }
            });
        }
    });
    Ok(())
}

/// The labels of the text in a request, as JSON.
fn labels(
    classifier: &TextClassification,
    request: &mut Request,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut text = String::new();
    request
        .as_reader()
        .take(LONGEST)
        .read_to_string(&mut text)?;
    let labels = classifier.run([text])?.remove(0);
    Ok(serde_json::to_string(&labels)?)
}
