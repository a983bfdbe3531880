//! Named settings: those that come with the program, and the user's own in a small database.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::file::Smoothing;
use export::ExportSettings;
use smooth::{Alpha, Method, Settings};

/// Settings that have a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// Each has another, whatever the case.
    pub name: String,
    /// By the names of the command line's options.
    pub smoothing: Settings,
    /// What is exported and how, where the preset says that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportSettings>,
    /// Comes with the program and can't be changed.
    #[serde(skip)]
    pub built_in: bool,
}

/// Why presets can't be read or changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum PresetError {
    #[error("there is no preset «{name}»; use one of {known}")]
    Missing { name: String, known: String },
    #[error("«{0}» comes with the program; choose another name")]
    BuiltIn(String),
    #[error("there is a preset «{0}» already; choose another name, or delete it first")]
    Exists(String),
    #[error("a preset needs a name of 1 to 60 characters; give it one")]
    Name,
    #[error("the presets to take in are not right ({0}); give a file that «steadymask presets export» wrote")]
    Import(String),
    #[error("{}: the presets can't be used ({cause}); {}", .path.display(), remedy(.cause))]
    Database { path: PathBuf, cause: rusqlite::Error },
    #[error("{}: the folder of the presets can't be made ({cause}); check its permissions", .path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
}

/// The user's presets on disk. Several processes may use them at once.
pub struct Presets {
    database: Connection,
    path: PathBuf,
}

const MAX_NAME_CHARS: usize = 60;
/// How long to wait while another process writes.
const PATIENCE: Duration = Duration::from_secs(5);

impl Presets {
    /// Where the user's presets are.
    pub fn default_path() -> PathBuf {
        super::data_folder().join("presets.sqlite")
    }

    /// Opens the database, which is made where there is none.
    ///
    /// # Errors
    /// When the database can't be made or opened.
    pub fn open(path: &Path) -> Result<Self, PresetError> {
        let database = open_database(path)?;
        Ok(Self { database, path: path.to_owned() })
    }

    /// Those that come with the program.
    pub fn built_in() -> Vec<Preset> {
        let exponential = |alpha| Settings {
            method: Method::Exponential,
            alpha: Alpha::new(alpha).unwrap_or(Settings::default().alpha),
            ..Settings::default()
        };
        [
            ("default", Settings::default()),
            ("gentle", exponential(0.3)),
            ("rock-solid", exponential(0.05)),
            ("seed", Settings::seed_recipe(Method::MovingAverage)),
        ]
        .map(|(name, smoothing)| Preset { name: name.into(), smoothing, export: None, built_in: true })
        .into()
    }

    /// The program's, then the user's by name. One that can't be read is passed over.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn all(&self) -> Result<Vec<Preset>, PresetError> {
        let mut all = Self::built_in();
        let read = || {
            let mut query = self.database.prepare("SELECT name, preset FROM presets ORDER BY name")?;
            let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|cause| self.failed(cause))?;
        all.extend(rows.into_iter().filter_map(|(name, json)| {
            let stored: StoredPreset = serde_json::from_str(&json).ok()?;
            let StoredPreset { smoothing, export, .. } = stored;
            Some(Preset { name, smoothing: smoothing.settings, export, built_in: false })
        }));
        Ok(all)
    }

    /// The preset of this name, whatever its case. A built-in one needs no database.
    ///
    /// # Errors
    /// [`PresetError::Missing`] with the names that there are.
    pub fn find(path: &Path, name: &str) -> Result<Preset, PresetError> {
        if let Some(preset) = built_in(name) {
            return Ok(preset);
        }
        let all = if path.exists() { Self::open(path)?.all()? } else { Self::built_in() };
        match all.iter().find(|preset| same(&preset.name, name)) {
            Some(preset) => Ok(preset.clone()),
            None => Err(PresetError::Missing { name: name.to_owned(), known: names(&all) }),
        }
    }

    /// Saves the settings under this name, replacing what the user had there.
    ///
    /// # Errors
    /// When the name is no name or is a built-in preset's, or nothing can be written.
    pub fn save(
        &self,
        name: &str,
        smoothing: &Settings,
        export: Option<&ExportSettings>,
    ) -> Result<(), PresetError> {
        let name = self.own_name(name)?;
        // What another version has added to it stays.
        let kept: Option<String> = self
            .database
            .query_row("SELECT preset FROM presets WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(|cause| self.failed(cause))?;
        let mut stored: StoredPreset =
            kept.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        stored.smoothing.settings = *smoothing;
        stored.export = export.cloned();
        let json = serde_json::to_string(&stored).map_err(|error| PresetError::Import(error.to_string()))?;
        self.change("INSERT OR REPLACE INTO presets VALUES (?1, ?2)", params![name, json])?;
        Ok(())
    }

    /// Gives one of the user's own another name.
    ///
    /// # Errors
    /// When there is no such preset, the new name is no name or is taken, or nothing can be written.
    pub fn rename(&self, old: &str, new: &str) -> Result<(), PresetError> {
        let new = self.own_name(new)?;
        let all = self.all()?;
        if !same(old, new) && all.iter().any(|preset| same(&preset.name, new)) {
            return Err(PresetError::Exists(new.to_owned()));
        }
        match self.change("UPDATE presets SET name = ?2 WHERE name = ?1", params![old, new])? {
            0 => Err(PresetError::Missing { name: old.to_owned(), known: names(&all) }),
            _ => Ok(()),
        }
    }

    /// Removes one of the user's own.
    ///
    /// # Errors
    /// When there is no such preset, it is built in, or nothing can be written.
    pub fn delete(&self, name: &str) -> Result<(), PresetError> {
        if built_in(name).is_some() {
            return Err(PresetError::BuiltIn(name.to_owned()));
        }
        match self.change("DELETE FROM presets WHERE name = ?1", params![name])? {
            0 => Err(PresetError::Missing { name: name.to_owned(), known: names(&self.all()?) }),
            _ => Ok(()),
        }
    }

    /// The user's own, as JSON that [`Self::import`] takes.
    ///
    /// # Errors
    /// When the database can't be read.
    pub fn export(&self) -> Result<String, PresetError> {
        let own: Vec<Preset> = self.all()?.into_iter().filter(|preset| !preset.built_in).collect();
        serde_json::to_string_pretty(&own).map_err(|error| PresetError::Import(error.to_string()))
    }

    /// Saves all of them or none, replacing those of the same name. Returns their names.
    ///
    /// # Errors
    /// When the text is not of [`Self::export`]'s form, or as [`save`](Self::save).
    pub fn import(&self, json: &str) -> Result<Vec<String>, PresetError> {
        let presets: Vec<Preset> =
            serde_json::from_str(json).map_err(|error| PresetError::Import(error.to_string()))?;
        presets.iter().try_for_each(|preset| self.own_name(&preset.name).map(drop))?;
        let transaction = self.database.unchecked_transaction().map_err(|cause| self.failed(cause))?;
        presets
            .iter()
            .try_for_each(|preset| self.save(&preset.name, &preset.smoothing, preset.export.as_ref()))?;
        transaction.commit().map_err(|cause| self.failed(cause))?;
        Ok(presets.into_iter().map(|preset| preset.name).collect())
    }

    /// A name that the user may give.
    fn own_name<'a>(&self, name: &'a str) -> Result<&'a str, PresetError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
            return Err(PresetError::Name);
        }
        match built_in(name) {
            Some(_) => Err(PresetError::BuiltIn(name.to_owned())),
            None => Ok(name),
        }
    }

    /// How many rows were changed.
    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, PresetError> {
        self.database.execute(sql, values).map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: rusqlite::Error) -> PresetError {
        PresetError::Database { path: self.path.clone(), cause }
    }
}

/// What a row holds.
#[derive(Default, Serialize, Deserialize)]
struct StoredPreset {
    #[serde(default)]
    smoothing: Smoothing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    export: Option<ExportSettings>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

fn remedy(cause: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;
    match cause.sqlite_error_code() {
        // Without room even its journal can't be opened.
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => "free some space on its disk",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds them; try again when it has ended"
        }
        _ => "check its permissions, or move the file away to begin anew",
    }
}

/// The database of everything that has a name, with its table of presets.
pub(super) fn open_database(path: &Path) -> Result<Connection, PresetError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|cause| PresetError::Folder { path: folder.to_owned(), cause })?;
    }
    let open = || {
        let database = Connection::open(path)?;
        database.busy_timeout(PATIENCE)?;
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS presets (
                 name TEXT PRIMARY KEY COLLATE NOCASE,
                 preset TEXT NOT NULL -- JSON, so that presets can come to hold more
             ) STRICT",
        )?;
        Ok(database)
    };
    open().map_err(|cause| PresetError::Database { path: path.to_owned(), cause })
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

fn built_in(name: &str) -> Option<Preset> {
    Presets::built_in().into_iter().find(|preset| same(&preset.name, name))
}

fn names(presets: &[Preset]) -> String {
    presets.iter().map(|preset| preset.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use export::ExportKind;

    #[test]
    fn presets_are_saved_found_renamed_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/presets.sqlite");
        assert_eq!(
            Presets::find(&path, "Seed").unwrap().smoothing,
            Settings::seed_recipe(Method::MovingAverage)
        );
        assert!(!path.exists(), "the program's own need no database");
        let unknown = Presets::find(&path, "mine").unwrap_err().to_string();
        assert!(unknown.contains("default, gentle, rock-solid, seed"), "{unknown}");

        let presets = Presets::open(&path).unwrap();
        let settings = Settings { min_area_px: 40, ..Settings::default() };
        presets.save(" Mine ", &settings, None).unwrap();
        let export = ExportSettings { kinds: vec![ExportKind::Prores], ..ExportSettings::default() };
        presets.save("mine", &Settings { min_area_px: 41, ..settings }, Some(&export)).unwrap();
        let mine = Presets::find(&path, "MINE").unwrap();
        assert_eq!((mine.smoothing.min_area_px, mine.export), (41, Some(export)));
        presets.save("other", &settings, None).unwrap();
        assert!(matches!(presets.rename("other", "Mine"), Err(PresetError::Exists(_))));
        presets.rename("mine", "Yours").unwrap();
        let own: Vec<String> =
            presets.all().unwrap().into_iter().filter(|p| !p.built_in).map(|p| p.name).collect();
        assert_eq!(own, ["other", "Yours"]);
        presets.delete("yours").unwrap();
        assert!(matches!(presets.delete("yours"), Err(PresetError::Missing { .. })));
        for name in ["seed", "Default"] {
            assert!(matches!(presets.save(name, &settings, None), Err(PresetError::BuiltIn(_))));
            assert!(matches!(presets.delete(name), Err(PresetError::BuiltIn(_))));
        }
        assert!(matches!(presets.save("  ", &settings, None), Err(PresetError::Name)));
    }

    #[test]
    fn what_leaves_comes_in_again_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("a"), folder.path().join("b"));
        let presets = Presets::open(&here).unwrap();
        let export = ExportSettings::default();
        presets.save("mine", &Settings::seed_recipe(Method::Median), Some(&export)).unwrap();
        let json = presets.export().unwrap();
        let other = Presets::open(&there).unwrap();
        assert_eq!(other.import(&json).unwrap(), ["mine"]);
        assert_eq!(other.all().unwrap(), presets.all().unwrap());
        let end = json.rfind(']').unwrap();
        let bad =
            format!(r#"{}, {{"name": "seed", "smoothing": {{}}}}]"#, &json[..end]).replace("mine", "new");
        assert!(matches!(other.import(&bad), Err(PresetError::BuiltIn(_))));
        assert!(matches!(other.import("{"), Err(PresetError::Import(_))));
        assert_eq!(other.all().unwrap(), presets.all().unwrap());
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("presets.sqlite");
        std::fs::write(&path, "words, and more words, to fill a header of a hundred bytes".repeat(9))
            .unwrap();
        let error = Presets::open(&path).err().unwrap().to_string();
        assert!(error.contains("presets.sqlite") && error.contains("; check"), "{error}");
    }
}
