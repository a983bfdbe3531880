//! Named pipelines, in the same small database as the presets. A job takes a copy when it
//! starts, so they can be changed and deleted at any time.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PresetError, Presets, presets::open_database};
use plan::{CleanUpStep, DetectBoxStep, ExportStep, Plan, SegmentStep, SmoothStep, Step, StepsError};
use segment::Device;

/// A named list of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pipeline {
    /// Given by the database, and never given again; 0 outside of it.
    #[serde(default)]
    pub id: i64,
    /// Each has another, whatever the case.
    pub name: String,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
}

impl Pipeline {
    /// What the steps come to.
    ///
    /// # Errors
    /// As [`Plan::from_steps`].
    pub fn plan(&self) -> Result<Plan, StepsError> {
        Plan::from_steps(&self.steps)
    }
}

/// Why pipelines can't be read or changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum PipelinesError {
    #[error("there is no pipeline «{name}»; use one of {known}")]
    Missing { name: String, known: String },
    #[error("there is a pipeline «{0}» already; choose another name, or change that one")]
    Exists(String),
    #[error("a pipeline needs a name of 1 to 60 characters, without line breaks; give it one")]
    Name,
    #[error(transparent)]
    Steps(#[from] StepsError),
    #[error(
        "the pipelines to take in are not right ({0}); give a file that «steadymask pipelines export» wrote"
    )]
    Import(String),
    #[error(transparent)]
    Database(#[from] PresetError),
}

/// The pipelines on disk. Several processes may use them at once.
pub struct Pipelines {
    database: Connection,
    path: PathBuf,
}

const MAX_NAME_CHARS: usize = 60;

impl Pipelines {
    /// Where the user's pipelines are.
    pub fn default_path() -> PathBuf {
        Presets::default_path()
    }

    /// Opens the database. Where it has no pipelines yet, those that it begins with are put in;
    /// they can be changed and removed as any other.
    ///
    /// # Errors
    /// When the database can't be made or opened.
    pub fn open(path: &Path) -> Result<Self, PipelinesError> {
        let mut database = open_database(path)?;
        let mut fill = || {
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let known: Option<i64> = transaction
                .query_row("SELECT 1 FROM sqlite_master WHERE name = 'pipelines'", [], |row| row.get(0))
                .optional()?;
            if known.is_none() {
                transaction.execute_batch(
                    "CREATE TABLE pipelines (
                         id INTEGER PRIMARY KEY AUTOINCREMENT,
                         name TEXT NOT NULL UNIQUE COLLATE NOCASE,
                         steps TEXT NOT NULL -- JSON
                     ) STRICT",
                )?;
                for (name, steps) in first_ones() {
                    let steps = json(&steps);
                    transaction
                        .execute("INSERT INTO pipelines (name, steps) VALUES (?1, ?2)", [name, &steps])?;
                }
            }
            transaction.commit()
        };
        fill().map_err(|cause| PresetError::Database { path: path.to_owned(), cause })?;
        Ok(Self { database, path: path.to_owned() })
    }

    /// By their ids. One that can't be read is passed over.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn all(&self) -> Result<Vec<Pipeline>, PipelinesError> {
        let read = || {
            let mut query =
                self.database.prepare_cached("SELECT id, name, steps FROM pipelines ORDER BY id")?;
            query.query_map([], from_row)?.collect::<Result<Vec<_>, _>>()
        };
        Ok(read().map_err(|cause| self.failed(cause))?.into_iter().flatten().collect())
    }

    /// The pipeline of this id; `None` where there is none, or it can't be read.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn get(&self, id: i64) -> Result<Option<Pipeline>, PipelinesError> {
        let read = || {
            let mut query =
                self.database.prepare_cached("SELECT id, name, steps FROM pipelines WHERE id = ?1")?;
            query.query_row([id], from_row).optional()
        };
        Ok(read().map_err(|cause| self.failed(cause))?.flatten())
    }

    /// Whatever the case of the name.
    ///
    /// # Errors
    /// [`PipelinesError::Missing`] with the names that there are.
    pub fn find(&self, name: &str) -> Result<Pipeline, PipelinesError> {
        let all = self.all()?;
        let known = || all.iter().map(|pipeline| pipeline.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|pipeline| pipeline.name.eq_ignore_ascii_case(name.trim()));
        found.cloned().ok_or_else(|| PipelinesError::Missing { name: name.to_owned(), known: known() })
    }

    /// # Errors
    /// [`PipelinesError::Exists`] where the name is taken.
    pub fn create(&self, name: &str, steps: &[Step]) -> Result<Pipeline, PipelinesError> {
        let name = checked(name, steps)?;
        self.change(name, "INSERT INTO pipelines (name, steps) VALUES (?1, ?2)", params![name, json(steps)])?;
        let id = self.database.last_insert_rowid();
        Ok(Pipeline { id, name: name.to_owned(), steps: steps.to_vec() })
    }

    /// Gives pipeline `id` this name and these steps; `None` where there is none.
    ///
    /// # Errors
    /// When the name is no name or is taken, the steps are no plan, or nothing can be written.
    pub fn update(&self, id: i64, name: &str, steps: &[Step]) -> Result<Option<Pipeline>, PipelinesError> {
        let name = checked(name, steps)?;
        let sql = "UPDATE pipelines SET name = ?2, steps = ?3 WHERE id = ?1";
        let changed = self.change(name, sql, params![id, name, json(steps)])?;
        Ok((changed > 0).then(|| Pipeline { id, name: name.to_owned(), steps: steps.to_vec() }))
    }

    /// Saves the steps under this name. What was there is replaced, and its id stays.
    ///
    /// # Errors
    /// When the name is no name, the steps are no plan, or nothing can be written.
    pub fn save(&self, name: &str, steps: &[Step]) -> Result<(), PipelinesError> {
        let name = checked(name, steps)?;
        let sql = "INSERT INTO pipelines (name, steps) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET name = ?1, steps = ?2";
        self.change(name, sql, params![name, json(steps)]).map(drop)
    }

    /// Whether there was one.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn delete(&self, id: i64) -> Result<bool, PipelinesError> {
        Ok(self.change("", "DELETE FROM pipelines WHERE id = ?1", params![id])? > 0)
    }

    /// All of them, as JSON that [`Self::import`] takes.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn export(&self) -> Result<String, PipelinesError> {
        serde_json::to_string_pretty(&self.all()?).map_err(|error| PipelinesError::Import(error.to_string()))
    }

    /// Saves all of them or none, replacing those of the same name. Returns their names.
    ///
    /// # Errors
    /// When the text is not of [`Self::export`]'s form, or as [`save`](Self::save).
    pub fn import(&self, text: &str) -> Result<Vec<String>, PipelinesError> {
        let pipelines: Vec<Pipeline> =
            serde_json::from_str(text).map_err(|error| PipelinesError::Import(error.to_string()))?;
        let transaction = self.database.unchecked_transaction().map_err(|cause| self.failed(cause))?;
        pipelines.iter().try_for_each(|pipeline| self.save(&pipeline.name, &pipeline.steps))?;
        transaction.commit().map_err(|cause| self.failed(cause))?;
        Ok(pipelines.into_iter().map(|pipeline| pipeline.name).collect())
    }

    /// How many rows were changed.
    fn change(&self, name: &str, sql: &str, values: impl rusqlite::Params) -> Result<usize, PipelinesError> {
        self.database.execute(sql, values).map_err(|cause| match cause.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => PipelinesError::Exists(name.to_owned()),
            _ => self.failed(cause),
        })
    }

    fn failed(&self, cause: rusqlite::Error) -> PipelinesError {
        PresetError::Database { path: self.path.clone(), cause }.into()
    }
}

fn from_row(row: &Row) -> rusqlite::Result<Option<Pipeline>> {
    let Ok(steps) = serde_json::from_str(&row.get::<_, String>(2)?) else { return Ok(None) };
    Ok(Some(Pipeline { id: row.get(0)?, name: row.get(1)?, steps }))
}

/// Steps always become JSON: their numbers are checked before.
fn json(steps: &[Step]) -> String {
    serde_json::to_string(steps).unwrap_or_default()
}

fn checked<'a>(name: &'a str, steps: &[Step]) -> Result<&'a str, PipelinesError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(PipelinesError::Name);
    }
    Plan::from_steps(steps)?;
    Ok(name)
}

/// What a new database has: the box around a person, and steady masks of one.
fn first_ones() -> [(&'static str, Vec<Step>); 2] {
    let segment = || {
        let classes = vec!["person".into()];
        Step::Segment(SegmentStep { model: None, masks: None, classes, device: Device::Auto })
    };
    [
        ("person-box", vec![segment(), Step::DetectBox(DetectBoxStep::default())]),
        (
            "steady-person",
            vec![
                segment(),
                Step::Smooth(SmoothStep::default()),
                Step::CleanUp(CleanUpStep::default()),
                Step::Export(ExportStep::default()),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_are_made_changed_and_deleted_and_an_id_is_never_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/presets.sqlite");
        let pipelines = Pipelines::open(&path).unwrap();
        let box_steps = pipelines.find("Person-Box").unwrap().steps;
        let made = pipelines.create(" mine ", &box_steps).unwrap();
        assert_eq!((made.id, made.name.as_str()), (3, "mine"));
        assert!(matches!(pipelines.create("MINE", &box_steps), Err(PipelinesError::Exists(_))));
        let steady = pipelines.find("steady-person").unwrap().steps;
        let changed = pipelines.update(made.id, "ours", &steady).unwrap().unwrap();
        assert_eq!(pipelines.get(made.id).unwrap(), Some(changed));
        assert!(pipelines.update(99, "x", &steady).unwrap().is_none());
        assert!(matches!(pipelines.update(made.id, "x", &[]), Err(PipelinesError::Steps(_))));
        assert!(pipelines.delete(made.id).unwrap() && !pipelines.delete(made.id).unwrap());
        assert_eq!(pipelines.create("mine", &box_steps).unwrap().id, 4);
        pipelines.save("mine", &steady).unwrap();
        assert_eq!(pipelines.find("mine").unwrap().id, 4, "what is replaced keeps its id");
        let error = pipelines.find("no").unwrap_err().to_string();
        assert!(error.contains("person-box, steady-person, mine"), "{error}");
        for name in ["", " ", "a\nb", &"x".repeat(61)] {
            assert!(matches!(pipelines.save(name, &steady), Err(PipelinesError::Name)), "{name:?}");
        }
        drop(pipelines);
        let again = Pipelines::open(&path).unwrap();
        assert!(again.delete(1).unwrap());
        assert_eq!(Pipelines::open(&path).unwrap().all().unwrap().len(), 2, "what was removed stays away");
    }

    #[test]
    fn what_leaves_comes_in_again_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let here = Pipelines::open(&folder.path().join("a")).unwrap();
        let steps = here.find("person-box").unwrap().steps;
        here.create("mine", &steps).unwrap();
        let there = Pipelines::open(&folder.path().join("b")).unwrap();
        let text = here.export().unwrap();
        assert_eq!(there.import(&text).unwrap(), ["person-box", "steady-person", "mine"]);
        // Ids are each database's own.
        let content = |pipelines: &Pipelines| {
            let all = pipelines.all().unwrap().into_iter();
            all.map(|pipeline| (pipeline.name, pipeline.steps)).collect::<Vec<_>>()
        };
        assert_eq!(content(&there), content(&here));
        let bad = r#"[{"name": "new", "steps": [{"step": "segment", "classes": ["a"]}]}, {"name": "bad", "steps": []}]"#;
        assert!(matches!(there.import(bad), Err(PipelinesError::Steps(_))));
        assert!(there.find("new").is_err());
    }
}
