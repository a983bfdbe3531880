//! The queue: clips that are done one after another, each with the plan of the moment when it came in.

use base::frame::FrameRange;
use plan::{Edits, Plan};

use crate::{
    App,
    queue::commands::{QueueCommand, folder_for},
};

impl App {
    pub(crate) fn queue(&mut self, command: QueueCommand) {
        let replace = self.state.export.replace;
        match command {
            QueueCommand::AddDropped => {
                self.queue.set_machine(self.state.queue_machine());
                // The range and the edits are the open clip's.
                let plan = Plan { range: FrameRange::ALL, edits: Edits::default(), ..self.state.plan() };
                for path in std::mem::take(&mut self.state.dropped) {
                    let out = folder_for(&path);
                    self.queue.add(path, plan.clone(), out, replace);
                }
            }
            QueueCommand::AddOpen => {
                let Some(clip) = &self.state.clip else { return };
                self.queue.set_machine(self.state.queue_machine());
                self.queue.add(clip.path.clone(), self.state.plan(), folder_for(&clip.path), replace);
            }
            QueueCommand::Shift(id, places) => self.queue.shift(id, places),
            QueueCommand::Hold(held) => self.queue.hold(held),
            QueueCommand::Cancel(id) => self.queue.cancel(id),
            QueueCommand::Retry(id) => self.queue.retry(id),
            QueueCommand::Remove(id) => self.queue.remove(id),
        }
    }
}
