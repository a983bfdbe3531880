//! What the service must not forget: jobs and answers, in SQLite with a write-ahead log.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use jobs::Detection;
use plan::{Plan, Step};

#[derive(Debug, thiserror::Error)]
#[error("{}: the jobs can't be kept ({cause}); check the free space and the permissions of its folder", .path.display())]
pub struct DatabaseError {
    path: PathBuf,
    cause: rusqlite::Error,
}

pub struct Database {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// A clip that a client has uploaded, and what is done with it.
#[derive(Clone, Debug)]
pub struct JobRecord {
    pub id: String,
    pub client: String,
    /// What the client calls the file. For eyes only.
    pub file_name: String,
    /// Of the content, in hexadecimal.
    pub sha256: String,
    /// The engine's name for the content.
    pub fingerprint: String,
    pub video: VideoFacts,
    pub stage: Stage,
    pub state: JobState,
    /// What the stage does; a copy, so that pipelines can change. `None` until a stage is asked for.
    pub plan: Option<Plan>,
    pub error: Option<String>,
    pub updated_secs: i64,
    /// On the disk, without what other jobs share.
    pub bytes: u64,
}

/// What the file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VideoFacts {
    pub width: usize,
    pub height: usize,
    pub frames_per_sec: f64,
    /// The container's count, which may be wrong.
    pub frames: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Upload,
    Segment,
    Stabilize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
}

impl JobState {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What was found in an image, as it is kept.
#[derive(Clone, Debug)]
pub struct AnswerRecord {
    pub id: i64,
    pub pipeline_id: i64,
    pub file_name: String,
    pub detection: Option<Detection>,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY, client TEXT NOT NULL, file_name TEXT NOT NULL, sha256 TEXT NOT NULL,
        fingerprint TEXT NOT NULL, video TEXT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL,
        steps TEXT NOT NULL, error TEXT, updated_secs INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS jobs_of_client ON jobs (client, sha256);
    CREATE TABLE IF NOT EXISTS answers (
        id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, pipeline_id INTEGER NOT NULL,
        file_name TEXT NOT NULL, detection TEXT NOT NULL, created_secs INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS answers_by_age ON answers (created_secs);
";

const JOB_COLUMNS: &str =
    "id, client, file_name, sha256, fingerprint, video, stage, state, steps, error, updated_secs, bytes";

pub fn now_secs() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

impl Database {
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = open().map_err(|cause| DatabaseError { path: path.to_owned(), cause })?;
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doing<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, DatabaseError> {
        work(&self.connection()).map_err(|cause| DatabaseError { path: self.path.clone(), cause })
    }

    pub fn job(&self, id: &str) -> Result<Option<JobRecord>, DatabaseError> {
        self.doing(|connection| {
            let mut query =
                connection.prepare_cached(&format!("SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?1"))?;
            query.query_row([id], job_from_row).optional()
        })
    }

    /// The longest untouched first. One that another version wrote and this one can't read is
    /// passed over.
    pub fn jobs(&self) -> Result<Vec<JobRecord>, DatabaseError> {
        self.doing(|connection| {
            let mut query = connection
                .prepare_cached(&format!("SELECT {JOB_COLUMNS} FROM jobs ORDER BY updated_secs, id"))?;
            Ok(query.query_map([], job_from_row)?.filter_map(Result::ok).collect())
        })
    }

    /// The client's job with this content, if it has one.
    pub fn same_upload(&self, client: &str, sha256: &str) -> Result<Option<JobRecord>, DatabaseError> {
        self.doing(|connection| {
            let sql = format!("SELECT {JOB_COLUMNS} FROM jobs WHERE client = ?1 AND sha256 = ?2");
            connection.prepare_cached(&sql)?.query_row([client, sha256], job_from_row).optional()
        })
    }

    /// How many jobs a client has, and how many bytes they take.
    pub fn usage(&self, client: &str) -> Result<(usize, u64), DatabaseError> {
        self.doing(|connection| {
            let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM jobs WHERE client = ?1";
            connection
                .prepare_cached(sql)?
                .query_row([client], |row| Ok((row.get::<_, i64>(0)? as usize, row.get::<_, i64>(1)? as u64)))
        })
    }

    pub fn add_job(&self, job: &JobRecord) -> Result<(), DatabaseError> {
        self.doing(|connection| {
            connection.execute(
                &format!(
                    "INSERT INTO jobs ({JOB_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
                ),
                params![
                    job.id,
                    job.client,
                    job.file_name,
                    job.sha256,
                    job.fingerprint,
                    json(&job.video),
                    json(&job.stage),
                    json(&job.state),
                    steps_of(&job.plan),
                    job.error,
                    job.updated_secs,
                    job.bytes as i64
                ],
            )
        })?;
        Ok(())
    }

    /// Begins a stage, unless one is waiting or running already. Whether it did.
    pub fn begin_stage(&self, id: &str, stage: Stage, plan: &Plan) -> Result<bool, DatabaseError> {
        let changed = self.doing(|connection| {
            connection.execute(
                "UPDATE jobs SET stage = ?2, steps = ?3, state = ?4, error = NULL, updated_secs = ?5
                 WHERE id = ?1 AND state NOT IN (?4, ?6)",
                params![
                    id,
                    json(&stage),
                    json(plan),
                    json(&JobState::Queued),
                    now_secs(),
                    json(&JobState::Running)
                ],
            )
        })?;
        Ok(changed > 0)
    }

    /// Puts back what was known of a job before a stage began that could not.
    pub fn restore_stage(&self, job: &JobRecord) -> Result<(), DatabaseError> {
        self.doing(|connection| {
            connection.execute(
                "UPDATE jobs SET stage = ?2, steps = ?3, state = ?4, error = ?5, updated_secs = ?6 WHERE id = ?1",
                params![
                    job.id,
                    json(&job.stage),
                    steps_of(&job.plan),
                    json(&job.state),
                    job.error,
                    job.updated_secs
                ],
            )
        })?;
        Ok(())
    }

    pub fn set_state(
        &self,
        id: &str,
        state: JobState,
        error: Option<&str>,
        bytes: Option<u64>,
    ) -> Result<(), DatabaseError> {
        self.doing(|connection| {
            connection.execute(
                "UPDATE jobs SET state = ?2, error = ?3, bytes = coalesce(?4, bytes), updated_secs = ?5 WHERE id = ?1",
                params![id, json(&state), error, bytes.map(|bytes| bytes as i64), now_secs()],
            )
        })?;
        Ok(())
    }

    /// Whether there was one.
    pub fn delete_job(&self, id: &str) -> Result<bool, DatabaseError> {
        Ok(self.doing(|connection| connection.execute("DELETE FROM jobs WHERE id = ?1", [id]))? > 0)
    }

    pub fn answer(&self, key: &str) -> Result<Option<AnswerRecord>, DatabaseError> {
        self.doing(|connection| {
            let sql = "SELECT id, pipeline_id, file_name, detection FROM answers WHERE key = ?1";
            connection.prepare_cached(sql)?.query_row([key], answer_from_row).optional()
        })
    }

    /// Keeps an answer, and gives it its id. Of two at once the first stands.
    pub fn add_answer(
        &self,
        key: &str,
        pipeline_id: i64,
        file_name: &str,
        detection: Option<&Detection>,
    ) -> Result<AnswerRecord, DatabaseError> {
        self.doing(|connection| {
            let sql = "INSERT INTO answers (key, pipeline_id, file_name, detection, created_secs)
                       VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING";
            let values = params![key, pipeline_id, file_name, json(&detection), now_secs()];
            connection.prepare_cached(sql)?.execute(values)?;
            let sql = "SELECT id, pipeline_id, file_name, detection FROM answers WHERE key = ?1";
            connection.prepare_cached(sql)?.query_row([key], answer_from_row)
        })
    }

    /// Forgets answers older than this, and the oldest beyond `most`.
    pub fn trim_answers(&self, before_secs: i64, most: usize) -> Result<usize, DatabaseError> {
        self.doing(|connection| {
            connection.execute(
                "DELETE FROM answers WHERE created_secs < ?1
                 OR id <= (SELECT max(id) FROM answers) - ?2",
                params![before_secs, most as i64],
            )
        })
    }
}

/// Our own types always become JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parsed<T: serde::de::DeserializeOwned>(row: &Row, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}

/// As a list of steps, empty where there is no plan yet.
fn steps_of(plan: &Option<Plan>) -> String {
    plan.as_ref().map_or_else(|| "[]".to_owned(), json)
}

fn plan_from(row: &Row, at: usize) -> rusqlite::Result<Option<Plan>> {
    let steps: Vec<Step> = parsed(row, at)?;
    if steps.is_empty() { Ok(None) } else { parsed(row, at).map(Some) }
}

fn job_from_row(row: &Row) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        id: row.get(0)?,
        client: row.get(1)?,
        file_name: row.get(2)?,
        sha256: row.get(3)?,
        fingerprint: row.get(4)?,
        video: parsed(row, 5)?,
        stage: parsed(row, 6)?,
        state: parsed(row, 7)?,
        plan: plan_from(row, 8)?,
        error: row.get(9)?,
        updated_secs: row.get(10)?,
        bytes: row.get::<_, i64>(11)? as u64,
    })
}

fn answer_from_row(row: &Row) -> rusqlite::Result<AnswerRecord> {
    Ok(AnswerRecord {
        id: row.get(0)?,
        pipeline_id: row.get(1)?,
        file_name: row.get(2)?,
        detection: parsed(row, 3)?,
    })
}
