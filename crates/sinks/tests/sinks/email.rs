//! E-mail, to a server of a few lines.

use std::sync::{Arc, Mutex};

use masthead_sinks::{DeliveryError, Sinks};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::{finding, sinks};

type Mails = Arc<Mutex<Vec<Mail>>>;

#[derive(Debug, Clone, Default)]
struct Mail {
    /// MAIL and RCPT as they came.
    envelope: Vec<String>,
    data: String,
}

/// Speaks enough SMTP to take mails. `answer` is what it says at the end of each.
async fn server(answer: &'static str) -> (u16, Mails) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Mails::default();
    let kept = Arc::clone(&mails);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, answer, Arc::clone(&kept)));
        }
    });
    (port, mails)
}

async fn talk(stream: TcpStream, answer: &'static str, mails: Mails) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail = Mail::default();
    write.write_all(b"220 test ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let reply = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-test\r\n250 8BITMIME",
            "MAIL" | "RCPT" => {
                mail.envelope.push(line);
                "250 fine"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.data.push('\n');
                }
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                answer
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn mail_sink(port: u16, more: &str) -> Sinks {
    sinks(&format!(
        "drilldown_url = 'https://splunk.example/?q={{search}}&b=2'\n[sinks.mail]\ntype = 'email'\nurl = 'smtp://127.0.0.1:{port}'\n\
         from = 'masthead <masthead@example.org>'\nto = ['soc@example.org', 'Night <night@example.org>']\n{more}"
    ))
}

/// Undoes quoted-printable, which has a mail's long lines and foreign letters.
fn decoded(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'=').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_mail_has_text_and_escaped_html() {
    let (port, mails) = server("250 taken").await;
    mail_sink(port, "starttls = false").deliver("mail", &[finding("id-1")]).await.unwrap();
    let mails = mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].envelope.len(), 3);
    for (line, expected) in mails[0].envelope.iter().zip([
        "MAIL FROM:<masthead@example.org>",
        "RCPT TO:<soc@example.org>",
        "RCPT TO:<night@example.org>",
    ]) {
        assert!(line.starts_with(expected), "{line}");
    }
    let data = &mails[0].data;
    for header in [
        "From: masthead <masthead@example.org>",
        "Subject: [masthead] HIGH: Exec & run by mallory",
        "Message-ID: <id-1@example.org>",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative;",
    ] {
        assert!(data.contains(header), "{header} is missing in:\n{data}");
    }
    let text = decoded(data);
    let plain = "HIGH: Exec & run by mallory\n\nmallory ran <!channel> [click](http://evil.example) in a pod\n\n\
                 Rule: Exec <into> a pod\nCluster: prod\nEvents: 3\nFirst seen: 2026-11-20T10:00:00Z\n\
                 Last seen: 2026-11-20T10:05:00.25Z\nATT&CK: T1609\nEntity: user mallory (risk 40)\n\
                 Entity: ip_address 192.0.2.7 (threat)\n\
                 All of mallory: https://splunk.example/?q=user%3Dmallory%20%7C%20head%205&b=2\nFinding: id-1\n";
    assert!(text.contains(plain), "{text}");
    let html = "<h2>HIGH: Exec &amp; run by mallory</h2><p>mallory ran &lt;!channel&gt; [click](http://evil.example) in a pod</p>\
                <table><tr><th align=\"left\">Rule</th><td>Exec &lt;into&gt; a pod</td></tr>";
    assert!(text.contains(html), "{text}");
    let link = "<a href=\"https://splunk.example/?q=user%3Dmallory%20%7C%20head%205&amp;b=2\">All of mallory</a>";
    assert!(text.contains(link), "{text}");
}

#[tokio::test]
async fn a_subject_cannot_smuggle_headers() {
    let (port, mails) = server("250 taken").await;
    let mut finding = finding("id-1");
    finding.title = "a\r\nBcc: eve@example.org\r\n\r\nb".to_owned();
    mail_sink(port, "starttls = false").deliver("mail", &[finding]).await.unwrap();
    let mails = mails.lock().unwrap().clone();
    assert_eq!(mails[0].envelope.len(), 3);
    let head = mails[0].data.split("\n\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}

#[tokio::test]
async fn many_are_one_mail() {
    let (port, mails) = server("250 taken").await;
    let findings: Vec<_> = (0..12).map(|n| finding(&n.to_string())).collect();
    mail_sink(port, "starttls = false").deliver("mail", &findings).await.unwrap();
    let mails = mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    let text = decoded(&mails[0].data);
    assert!(text.contains("12 findings: Exec <into> a pod") && text.contains("\nand 2 more\n"), "{text}");
}

#[tokio::test]
async fn the_code_decides_whether_to_try_again() {
    for (answer, again) in [("451 later", true), ("554 never", false)] {
        let (port, _mails) = server(answer).await;
        let error = mail_sink(port, "starttls = false").deliver("mail", &[finding("id")]).await.unwrap_err();
        assert_eq!(matches!(error, DeliveryError::Retry { .. }), again, "{error:?}");
        assert!(error.message().contains(answer.split_once(' ').unwrap().1), "{error}");
    }
}

#[tokio::test]
async fn without_tls_nothing_is_sent_unless_it_is_allowed() {
    let (port, mails) = server("250 taken").await;
    mail_sink(port, "").deliver("mail", &[finding("id")]).await.unwrap_err();
    assert!(mails.lock().unwrap().is_empty());
}
