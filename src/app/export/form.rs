//! What the export dialog is filled with.

use export::{ExportKind, ExportOptions, ExportSettings, NameError};

/// What the export dialog is filled with.
#[derive(Clone, Debug)]
pub struct ExportForm {
    pub kinds: Vec<ExportKind>,
    pub options: ExportOptions,
    /// As it is typed; empty for the usual names.
    pub names: String,
    pub folder: String,
    pub replace: bool,
}

impl ExportForm {
    /// # Errors
    /// What is wrong with the names.
    pub fn options(&self) -> Result<ExportOptions, NameError> {
        let names = Some(self.names.trim()).filter(|names| !names.is_empty());
        Ok(ExportOptions { names: names.map(str::parse).transpose()?, ..self.options.clone() })
    }

    /// What a preset keeps of it; `None` while the names are wrong.
    pub fn settings(&self) -> Option<ExportSettings> {
        Some(ExportSettings { kinds: self.kinds.clone(), options: self.options().ok()? })
    }

    /// Fills in what a preset says.
    pub fn take(&mut self, ExportSettings { kinds, options }: ExportSettings) {
        self.names = options.names.as_ref().map(ToString::to_string).unwrap_or_default();
        (self.kinds, self.options) = (kinds, options);
    }
}

impl Default for ExportForm {
    fn default() -> Self {
        Self {
            kinds: ExportKind::DEFAULT.to_vec(),
            options: ExportOptions::default(),
            names: String::new(),
            folder: String::new(),
            replace: false,
        }
    }
}
