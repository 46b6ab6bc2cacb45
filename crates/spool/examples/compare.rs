//! What a durable append costs: fjall (through the spool), redb, SQLite.
//!
//! `cargo run --release -p masthead-spool --example compare`

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench may stop where it stands")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use masthead_spool::{Spool, SpoolOptions};
use sqlx::Connection as _;

const SPAN: Duration = Duration::from_secs(4);

fn noise(length: usize) -> Vec<u8> {
    let mut dice = 1_u64;
    std::iter::repeat_with(|| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 40) as u8
    })
    .take(length)
    .collect()
}

/// Appends from several threads for a while; `append` is durable when it returns.
fn measure(name: &str, length: usize, threads: usize, append: impl Fn(Vec<u8>) + Sync) {
    let (payload, times) = (noise(length), Mutex::new(Vec::new()));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while start.elapsed() < SPAN {
                    let began = Instant::now();
                    append(payload.clone());
                    times.lock().unwrap().push(began.elapsed());
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut times = times.into_inner().unwrap();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "| {name} | {} KB | {threads} | {:.0} | {:.0} | {:.1} | {:.1} |",
        length / 1_000,
        times.len() as f64 / seconds,
        times.len() as f64 * length as f64 / seconds / 1e6,
        at(0.5),
        at(0.99)
    );
}

fn main() {
    println!("| store | batch | threads | appends/s | MB/s | p50 ms | p99 ms |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for length in [100_000, 1_000_000] {
        for threads in [1, 16] {
            fjall(length, threads);
            redb(length, threads);
            sqlite(length, threads);
        }
    }
}

fn fjall(length: usize, threads: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(folder.path(), SpoolOptions { max_bytes: u64::MAX, sync: true }).unwrap();
    let spool = Arc::new(spool);
    measure("fjall 3", length, threads, |payload| {
        let number = spool.append(payload, Vec::new()).unwrap();
        if number.is_multiple_of(50) {
            spool.trim(number.saturating_sub(50)).unwrap();
        }
    });
}

const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("batches");

/// One writer at a time, as the store has it; those who wait are not written together.
fn redb(length: usize, threads: usize) {
    let folder = tempfile::tempdir().unwrap();
    let database = redb::Database::create(folder.path().join("queue.redb")).unwrap();
    let number = Mutex::new(0_u64);
    measure("redb 4", length, threads, |payload| {
        let mut number = number.lock().unwrap();
        *number += 1;
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(TABLE).unwrap();
            table.insert(*number, payload.as_slice()).unwrap();
            table.remove(number.saturating_sub(50)).unwrap();
        }
        transaction.commit().unwrap();
    });
}

fn sqlite(length: usize, threads: usize) {
    let folder = tempfile::tempdir().unwrap();
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("queue.db").display());
    let connection = runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        for statement in [
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE batches (number INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
        ] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection
    });
    let both = Mutex::new((runtime, connection));
    measure("SQLite", length, threads, |payload| {
        let mut both = both.lock().unwrap();
        let (runtime, connection) = &mut *both;
        runtime.block_on(async {
            let insert = sqlx::query("INSERT INTO batches (payload) VALUES ($1)").bind(payload);
            insert.execute(&mut *connection).await.unwrap();
            let delete = sqlx::query("DELETE FROM batches WHERE number < (SELECT MAX(number) FROM batches) - 50");
            delete.execute(&mut *connection).await.unwrap();
        });
    });
}
