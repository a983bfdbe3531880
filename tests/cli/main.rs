//! The whole program at its public border: what it writes, says, and leaves behind.

#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/sample.rs"]
mod sample;

mod batch;
mod bench;
mod classes;
mod ctrl_c;
mod engine_loading;
mod exports;
mod file_reads;
mod full_disk;
mod inputs;
mod kill;
mod left_out_areas;
mod mattes;
mod messages;
mod network_runs;
mod outputs;
mod presets;
mod projects;
mod refusals;
mod smoothing;
mod workbench;
