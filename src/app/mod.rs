pub fn open(video: Option<std::path::PathBuf>) -> anyhow::Result<()> {
    let _ = video;
    Ok(())
}
