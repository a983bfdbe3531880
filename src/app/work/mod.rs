//! What runs beside the window: nothing here waits on the window, and the window waits on
//! nothing here. Work sends [`Event`]s; the window takes them once a frame.

mod clip;
mod error_words;
mod events;
mod export_files;
mod finisher;
mod keeper;
mod layers;
mod machine;
mod measure;
mod network_pass;
mod networks;
mod open;
mod opened_project;
mod painter;
mod pictures;
mod previews;
mod proxies;
mod recipe;
mod screen;
mod screen_state;
mod session;
mod stable;
mod tune;
mod view_request;

pub use clip::Clip;
pub use events::{Event, Mail, PassId, RunSummary};
pub use export_files::export;
pub use keeper::{FileTask, Keeper, PresetChange};
pub use layers::Look;
pub use machine::{Machine, Usage};
pub use measure::measure;
pub use network_pass::NetworkPass;
pub use networks::{ModelFound, ModelInfo, ModelStep};
pub use open::{
    Browse, browse, clear_cache, list_models, look_for_cuda, look_into, open_model, open_project, open_sample,
};
pub use opened_project::{OpenedProject, ProjectFound, ProjectSource};
pub use recipe::Recipe;
pub use screen::Screen;
pub use session::{Clips, Session};
pub use stable::StableMasks;
pub use tune::tune;
pub use view_request::{Layers, Picture, Quality, Source, ViewRequest, ViewUpdate};
