//! Removes jobs that are over: by age, and the oldest first where space is short.

use std::{fs, sync::Arc, thread, time::Duration};

use super::{
    Service,
    database::{JobRecord, now_secs},
    job_folder,
};

const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// Answers for images are small, and more are never kept.
const MOST_ANSWERS: usize = 1_000_000;

/// Removes what an earlier process left half done, and then cleans up every minute.
pub fn open(service: &Arc<Service>) {
    remove_strays(service);
    let service = service.clone();
    thread::spawn(move || {
        loop {
            tidy(&service);
            thread::sleep(CLEANUP_INTERVAL);
        }
    });
}

/// Uploads that never became jobs, and folders whose jobs are gone.
fn remove_strays(service: &Service) {
    let known: Vec<String> =
        service.database.jobs().unwrap_or_default().into_iter().map(|job| job.id).collect();
    let uploads = fs::read_dir(service.uploads_folder()).into_iter().flatten().flatten();
    for path in uploads.map(|entry| entry.path()) {
        let _ = fs::remove_file(path);
    }
    let folders = fs::read_dir(service.jobs_folder()).into_iter().flatten().flatten();
    for entry in folders {
        if !known.iter().any(|id| entry.file_name() == id.as_str()) {
            job_folder::remove(&entry.path());
        }
    }
}

fn tidy(service: &Service) {
    let oldest_secs = now_secs() - service.options.keep_secs;
    let over = |job: &JobRecord| job.state.is_over();
    let jobs: Vec<JobRecord> = service.database.jobs().unwrap_or_default();
    let mut bytes: u64 = jobs.iter().map(|job| job.bytes).sum();
    for job in jobs.into_iter().filter(over) {
        if job.updated_secs >= oldest_secs && bytes <= service.options.keep_bytes {
            break;
        }
        tracing::info!("job {} is cleaned up", job.id);
        bytes -= job.bytes.min(bytes);
        service.forget(&job);
    }
    if let Err(error) = service.database.trim_answers(oldest_secs, MOST_ANSWERS) {
        tracing::warn!("{error}");
    }
}
