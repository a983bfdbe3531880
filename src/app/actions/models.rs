//! Which network: the one chosen, the best that is there, or one that the user brings.

use std::path::PathBuf;

use crate::{
    App,
    commands::Command,
    dialogs::model_form::ModelForm,
    state::Dialog,
    text::{Text, fill},
    work::ModelFound,
};

impl App {
    /// The network that was chosen, or the best that is there.
    pub(crate) fn default_model(&mut self) {
        let state = &mut self.state;
        let Some(models) = &state.models else {
            self.resume = state.clip.is_some();
            return;
        };
        let known = |name: &str| models.iter().any(|model| model.name == name);
        if !state.choice.model().is_some_and(known) {
            if let Some(name) = state.choice.model().filter(|_| state.project.is_open()) {
                state.toasts.error(fill(Text::ModelGone, &[&name]));
            }
            state.choice.plan.source.network_mut().name = models.first().map(|model| model.name.clone());
        }
        self.default_classes();
    }

    /// A network that the user brought: ready, or with a question.
    pub(crate) fn model_found(&mut self, found: ModelFound) {
        let state = &mut self.state;
        match found {
            ModelFound::Ready(model) => {
                let pt = PathBuf::from(&model.name);
                if !state.preferences.models.contains(&pt) {
                    state.preferences.models.push(pt);
                }
                let name = model.name.clone();
                let models = state.models.get_or_insert_default();
                models.retain(|known| known.name != name);
                models.push(model);
                let choice = state.choice.with_model(name);
                self.execute(Command::Change("model", choice));
                self.default_classes();
            }
            ModelFound::Untrusted { pt, sha256 } => state.dialog = Some(Dialog::TrustModel { pt, sha256 }),
            ModelFound::Undescribed(pt) => {
                state.dialog = Some(Dialog::DescribeModel(Box::new(ModelForm::new(pt))));
            }
            ModelFound::Wrong(error) => state.toasts.error(error),
        }
    }

    /// People are what most clips are about. A project says itself what it is about.
    pub(crate) fn default_classes(&mut self) {
        let Some(model) = self.state.model().filter(|_| !self.state.project.is_open()) else { return };
        let known = |name: &String| model.manifest().classes.contains(name);
        if self.state.choice.plan.classes.iter().any(known) {
            return;
        }
        let classes = &model.manifest().classes;
        let person = classes.iter().find(|name| *name == "person");
        let first = person.or_else(|| classes.iter().find(|name| *name != "background"));
        self.state.choice.plan.classes = first.cloned().into_iter().collect();
    }
}
