//! Every word of the window, in every language, in one table.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use export::ExportKind;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[default]
    English,
    Russian,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// In itself, so that it is found by who speaks it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Русский",
        }
    }

    /// From what the system says (`LC_ALL`, `LC_MESSAGES`, `LANG`).
    pub fn of_system() -> Self {
        let says = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let word = says.iter().filter_map(|name| std::env::var(name).ok()).find(|word| !word.is_empty());
        if word.is_some_and(|word| word.starts_with("ru")) { Self::Russian } else { Self::English }
    }
}

/// One window, one language.
static LANGUAGE: AtomicU8 = AtomicU8::new(0);

pub fn set_language(language: Language) {
    LANGUAGE.store(language as u8, Ordering::Relaxed);
}

macro_rules! texts {
    ($($key:ident: $english:literal, $russian:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Text { $($key),* }

        impl Text {
            pub const ALL: &'static [Self] = &[$(Self::$key),*];

            pub const fn in_language(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$key, Language::English) => $english, (Self::$key, Language::Russian) => $russian),*
                }
            }
        }
    };
}

/// What a kind of export is called: in English as the engine's table has it.
pub fn kind_label(kind: ExportKind) -> &'static str {
    if LANGUAGE.load(Ordering::Relaxed) != Language::Russian as u8 {
        return kind.info().summary;
    }
    match kind {
        ExportKind::Png => "Маски PNG, 8 бит, исходные и сглаженные",
        ExportKind::Png16 => "Сглаженные маски PNG, 16 бит",
        ExportKind::Ffv1 => "Маски видео без потерь (FFV1), исходные и сглаженные",
        ExportKind::H264 => "Сглаженные маски видео H.264",
        ExportKind::Classmap => "Карта классов PNG с палитрой Pascal VOC и DAVIS",
        ExportKind::Prores => "Вырезка ProRes 4444 с альфа-каналом",
        ExportKind::Vp9 => "Вырезка VP9 с альфа-каналом, малый размер",
        ExportKind::Ffv1Alpha => "Вырезка без потерь с альфа-каналом (FFV1)",
        ExportKind::PngAlpha => "Вырезка PNG RGBA",
        ExportKind::Overlay => "Видео с наложенными сглаженными масками",
        ExportKind::Backdrop => "Классы на одноцветном (зелёном) фоне",
        ExportKind::Blur => "Классы на размытом фоне",
        ExportKind::SideBySide => "Исходные рядом со сглаженными, с подписями",
        ExportKind::Csv => "Метрики каждого кадра (CSV)",
        ExportKind::Json => "Настройки и итог (JSON)",
        ExportKind::Coco => "Маски COCO (RLE) с рамками, площадями и уверенностью",
        ExportKind::Yolo => "Контуры для сегментации YOLO",
        ExportKind::Plots => "Графики IoU, Dice и нестабильности",
        ExportKind::Report => "Отчёт на одной странице (HTML)",
    }
}

/// The text in the language of the window.
pub fn t(text: Text) -> &'static str {
    text.in_language(if LANGUAGE.load(Ordering::Relaxed) == Language::Russian as u8 {
        Language::Russian
    } else {
        Language::English
    })
}

/// The text with each `{}` replaced in turn.
pub fn fill(text: Text, values: &[&dyn std::fmt::Display]) -> String {
    let mut parts = t(text).split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        filled += &value.to_string();
        filled += part;
    }
    filled
}

/// Mebibytes as they are read.
pub fn size(mib: u64) -> String {
    if mib < 1024 { fill(Text::Mebibytes, &[&mib]) } else { fill(Text::Gibibytes, &[&gibibytes(mib)]) }
}

fn gibibytes(mib: u64) -> String {
    if mib.is_multiple_of(1024) { (mib >> 10).to_string() } else { format!("{:.1}", mib as f64 / 1024.0) }
}

/// Minutes and seconds, with hours where there are any.
pub fn clock(time: Duration) -> String {
    let secs = time.as_secs();
    match secs / 3600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
}

texts! {
    Open: "Open", "Открыть";
    Save: "Save", "Сохранить";
    SaveHint: "Save the project (Ctrl+S)", "Сохранить проект (Ctrl+S)";
    SaveAs: "Save as", "Сохранить как";
    SaveProject: "Save the project", "Сохранить проект";
    Saved: "Saved: {}", "Сохранено: {}";
    UnsavedTitle: "Changes are not saved", "Изменения не сохранены";
    UnsavedBody: "«{}» has changes that are not saved.", "В «{}» есть несохранённые изменения.";
    DontSave: "Close without saving", "Закрыть без сохранения";
    LostVideo: "Where is the video?", "Где видео?";
    LostVideoBody: "The video of this project, {}, is not there any more, nor beside the project.", "Видео этого проекта, {}, больше нет на месте и нет рядом с проектом.";
    VideoIsAt: "It is here", "Оно здесь";
    VideoChanged: "{} is not the file that it was when the project was saved; polygons and the range may not fit it", "{} — не тот файл, что был при сохранении проекта; многоугольники и диапазон могут не подойти";
    RestoreTitle: "Go on where it stopped?", "Продолжить с того места?";
    RestoreBody: "Steadymask did not end properly the last time. This was open: {}", "В прошлый раз Steadymask завершился неправильно. Было открыто: {}";
    Restore: "Open it again", "Открыть снова";
    Forget: "No, thanks", "Нет, спасибо";
    Restored: "What was open is being opened again", "Открывается то, что было открыто";
    TrySample: "Try a sample", "Попробовать на примере";
    TrySampleHint: "Ten seconds of people in a street, from OpenCV's samples", "Десять секунд: люди на улице, из примеров OpenCV";
    OpenHint: "Open a video or images (Ctrl+O)", "Открыть видео или изображения (Ctrl+O)";
    Export: "Export", "Экспорт";
    ExportHint: "Save masks, overlay, metrics and plots (Ctrl+E)", "Сохранить маски, наложение, метрики и графики (Ctrl+E)";
    Undo: "Undo", "Отменить";
    Redo: "Redo", "Вернуть";
    UndoHint: "Undo the last change of a setting (Ctrl+Z)", "Отменить последнее изменение настройки (Ctrl+Z)";
    RedoHint: "Redo it (Ctrl+Y)", "Вернуть его (Ctrl+Y)";
    Settings: "Settings", "Настройки";
    Keys: "Keys", "Клавиши";
    KeysHint: "Keyboard shortcuts (?)", "Сочетания клавиш (?)";
    Close: "Close", "Закрыть";
    DropTitle: "Drop a video here", "Перетащите видео сюда";
    DropFormats: "MP4, MOV, MKV, WebM, AVI, a folder of images, or a project", "MP4, MOV, MKV, WebM, AVI, папка с изображениями или проект";
    DropNow: "Drop to open", "Отпустите, чтобы открыть";
    OrPath: "Or a path", "Или путь";
    OpenPath: "Open path", "Открыть путь";
    Browse: "Browse…", "Обзор…";
    NoDialog: "If no dialog appears, this system has none: type the path instead.", "Если окно выбора не появилось, в системе его нет: введите путь.";
    OpenVideo: "Open video…", "Открыть видео…";
    Recent: "Recent", "Недавние";
    Opening: "Opening {}", "Открывается {}";
    Model: "Network", "Нейросеть";
    ModelHint: "What finds people and things in a picture. Your own: drop a TorchScript .pt file on the window.", "Что находит людей и предметы в кадре. Своя: перетащите в окно файл TorchScript .pt.";
    ModelGone: "The network {} of this project is not here; install it, or go on with another one", "Нейросети {} из этого проекта здесь нет; установите её или продолжайте с другой";
    Device: "Device", "Устройство";
    DeviceAuto: "Auto", "Авто";
    DeviceHint: "Where the network runs, from the next run on. Auto takes the GPU where it can be used.", "Где работает нейросеть, начиная со следующего запуска. «Авто» берёт видеокарту, если её можно использовать.";
    Every: "Looks at", "Смотрит";
    EveryHint: "Between the frames that the network sees, masks follow the motion from both sides: faster, and a little less exact.", "Между кадрами, которые видит нейросеть, маски следуют за движением с обеих сторон: быстрее и чуть менее точно.";
    EveryFrame: "every frame", "каждый кадр";
    EveryNth: "every {} frames", "каждый {}-й кадр";
    NoGpu: "There is no NVIDIA GPU, or no driver for it", "Нет видеокарты NVIDIA или драйвера для неё";
    LookingForGpu: "Looking for a GPU…", "Поиск видеокарты…";
    GpusReady: "NVIDIA GPUs ready: {}", "Готовых видеокарт NVIDIA: {}";
    Threads: "Threads", "Потоки";
    ThreadsHint: "Of the network on the CPU; 0 takes all cores", "Для нейросети на процессоре; 0 — все ядра";
    AllCores: "all cores", "все ядра";
    Memory: "Memory", "Память";
    MemoryHint: "What the program holds, and the budget for pictures and masks in flight. The network's own memory comes on top.", "Сколько занимает программа и сколько отведено на кадры и маски в работе. Память самой нейросети — сверх того.";
    MemoryNow: "{} (in flight up to {})", "{} (в работе до {})";
    Mebibytes: "{} MB", "{} МБ";
    Gibibytes: "{} GB", "{} ГБ";
    CacheLimit: "Cache limit", "Предел кэша";
    CacheNow: "now {}", "сейчас {}";
    CacheStatus: "cache {}", "кэш {}";
    ClearCache: "Clear", "Очистить";
    ClearCacheHint: "Remove the kept results of all clips but the open one; the network must then run again", "Удалить сохранённые результаты всех клипов, кроме открытого; нейросеть придётся запускать снова";
    CacheCleared: "The cache is cleared", "Кэш очищен";
    NextRun: "Device and threads hold from the next run on, the cache's folder from the next clip on.", "Устройство и потоки действуют со следующего запуска, папка кэша — со следующего клипа.";
    TrustTitle: "Run this network?", "Запустить эту нейросеть?";
    TrustBody: "A TorchScript file is a program. It will run with your rights: it can read and change your files. Open it only when you trust who made it. The answer is kept for this very file.", "Файл TorchScript — это программа. Она запустится с вашими правами: сможет читать и менять ваши файлы. Открывайте, только если доверяете автору. Ответ запомнится для этого самого файла.";
    TrustYes: "I trust it: run", "Доверяю: запустить";
    TrustNo: "Don't run", "Не запускать";
    DescribeTitle: "What does this network expect?", "Чего ждёт эта нейросеть?";
    DescribeBody: "{} comes without a description. What you say here is written to {} beside it; its maker knows.", "У {} нет описания. Сказанное здесь будет записано рядом в {}; это знает её автор.";
    DescribeClasses: "One name for each output channel, in order, with commas between them", "Имя для каждого выходного канала по порядку, через запятую";
    InputSize: "Input", "Вход";
    InputLongSide: "Long side", "Длинная сторона";
    InputFixed: "Fixed", "Постоянный";
    InputStep: "px, sides in steps of", "пикс., шаг сторон";
    Stride: "Output stride", "Шаг выхода";
    StrideHint: "Input pixels to one output pixel", "Входных пикселей на один выходной";
    Output: "Output", "Выход";
    Probabilities: "probabilities", "вероятности";
    Upsampling: "Upsampling", "Увеличение";
    Normalisation: "Normalisation", "Нормировка";
    Name: "Name", "Имя";
    NameTaken: "This name comes with the program; choose another", "Это имя встроено в программу; выберите другое";
    NameReplaces: "The preset of this name will be replaced", "Набор с этим именем будет заменён";
    NoModels: "No network is installed. Run «steadymask models setup» in a terminal, then look again.", "Нейросетей нет. Выполните «steadymask models setup» в терминале и обновите список.";
    LookAgain: "Look again", "Обновить";
    Classes: "Classes", "Классы";
    ClassesHint: "Each class becomes a mask. Those found in the clip come first, with their share of the picture.", "Каждый класс станет маской. Найденные в клипе стоят первыми, с долей кадра.";
    MoreClasses: "Other classes", "Другие классы";
    NoClass: "Choose at least one class", "Выберите хотя бы один класс";
    Smoothing: "Smoothing", "Сглаживание";
    Preset: "Preset", "Набор";
    PresetDefault: "Recommended", "Рекомендуемый";
    PresetClassic: "Classic (causal, no motion)", "Классический (без будущего и движения)";
    PresetGentle: "Gentle", "Мягкий";
    PresetSolid: "Rock solid", "Незыблемый";
    PresetCustom: "Custom", "Свой";
    Presets: "Presets", "Наборы";
    PresetSave: "Save as a preset…", "Сохранить как набор…";
    PresetWithExport: "With the settings of the export", "С настройками экспорта";
    PresetRename: "Rename…", "Переименовать…";
    PresetDelete: "Delete", "Удалить";
    PresetsImport: "Import…", "Импорт…";
    PresetsExport: "Export all…", "Экспорт всех…";
    PresetsHint: "A JSON file, which «steadymask presets import» takes too", "Файл JSON; его понимает и «steadymask presets import»";
    PresetsFrom: "From the file", "Из файла";
    Import: "Import", "Импортировать";
    NotKept: "What is open would be lost in a crash: {}", "При сбое открытое пропадёт: {}";
    ExchangeHint: "Two settings, A and B, to switch between (X), and to see side by side (7)", "Две настройки, A и B: переключать (X) и видеть рядом (7)";
    Auto: "Auto", "Авто";
    AutoHint: "Try settings on this clip and take the calmest whose masks are neither late nor untrue", "Попробовать настройки на этом клипе и взять самую спокойную, чьи маски не запаздывают и верны";
    AutoChose: "Chosen: {}, {}. Least flicker ({}) of {} settings; left out: {} for being late, {} for agreeing with the raw masks by less than {}.", "Выбрано: {}, {}. Меньше всего мерцания ({}) из {} настроек; отброшено: {} — запаздывают, {} — согласие с исходными масками меньше {}.";
    AutoNothing: "No setting is on time and agrees with the raw masks by {}: all stays as it was.", "Ни одна настройка не успевает вовремя при согласии с исходными масками {}: всё осталось как было.";
    Hysteresis: "Keep what is connected", "Сохранять связанное";
    HysteresisHint: "A pixel over the lower threshold stays when it is connected to one over the threshold (hysteresis).", "Пиксель выше нижнего порога остаётся, если связан с пикселем выше порога (гистерезис).";
    LowThreshold: "From", "От";
    Overlap: "Classes may overlap", "Классы могут перекрываться";
    OverlapHint: "Off: a pixel belongs to the most probable class alone.", "Выключено: пиксель принадлежит только самому вероятному классу.";
    LeaveOut: "Leave out", "Исключить";
    LeaveOutHint: "A logo, a mirror, a screen: no mask has a pixel there, and nothing is measured there.", "Логотип, зеркало, экран: там нет масок и ничего не измеряется.";
    Draw: "Draw a polygon", "Нарисовать многоугольник";
    DrawStop: "Stop drawing", "Прекратить";
    DrawHint: "Click corner after corner; double-click or Enter closes, Esc cancels", "Щёлкайте угол за углом; двойной щелчок или Enter замыкает, Esc отменяет";
    Polygon: "Polygon {}", "Многоугольник {}";
    Corners: "{} corners", "углов: {}";
    CornerOf: "Corner {} of polygon {}", "Угол {} многоугольника {}";
    Remove: "Remove", "Удалить";
    Method: "Method", "Метод";
    MovingAverage: "Moving average", "Скользящее среднее";
    Median: "Median", "Медиана";
    Exponential: "Exponential", "Экспоненциальный";
    Window: "Window", "Окно";
    WindowHint: "Frames that are looked at together. More is calmer; without motion, more also blurs what moves.", "Сколько кадров учитывается вместе. Больше — спокойнее; без движения больше и размывает.";
    Frames: "frames", "кадров";
    Alpha: "New frame", "Новый кадр";
    AlphaHint: "Weight of the newest frame (alpha). Less is calmer.", "Вес нового кадра (альфа). Меньше — спокойнее.";
    Timing: "Looks", "Смотрит";
    Centred: "Both ways", "В обе стороны";
    Causal: "Back only", "Только назад";
    TimingHint: "Both ways keeps masks on time (centred). Back only suits live video (causal) and makes masks late.", "В обе стороны — без запаздывания (центрированно). Только назад — для живого видео, маски запаздывают.";
    Motion: "Follow motion", "Следовать за движением";
    MotionHint: "Neighbours are moved along the optical flow before they are combined (motion-compensated).", "Соседние кадры сдвигаются по оптическому потоку перед усреднением (компенсация движения).";
    Threshold: "Threshold", "Порог";
    ThresholdHint: "A pixel belongs to the mask from this probability on.", "Пиксель входит в маску начиная с этой вероятности.";
    CleanUp: "Clean-up", "Очистка";
    MinArea: "Remove parts under", "Убрать части меньше";
    FillHoles: "Fill holes up to", "Заполнить дыры до";
    Pixels: "px", "пикс.";
    Stabilise: "Stabilise", "Стабилизировать";
    StabiliseHint: "Run the network and steady its masks (Ctrl+Enter)", "Запустить нейросеть и стабилизировать маски (Ctrl+Enter)";
    UpToDate: "Everything is up to date: settings act at once", "Всё готово: настройки действуют сразу";
    NeedVideo: "Open a video first", "Сначала откройте видео";
    NeedModel: "Install and choose a network first", "Сначала установите и выберите нейросеть";
    NeedResults: "Stabilise first", "Сначала стабилизируйте";
    Cancel: "Cancel", "Отмена";
    Paused: "Paused", "Приостановлено";
    Resume: "Resume", "Продолжить";
    HoldHint: "Hold the network, which stays loaded", "Придержать нейросеть, не выгружая её";
    CancelHint: "Stop; what is done is kept (Esc)", "Остановить; сделанное сохранится (Esc)";
    ViewSide: "Side by side", "Рядом";
    ViewWipe: "Wipe", "Шторка";
    ViewOverlay: "Overlay", "Наложение";
    ViewDifference: "Difference", "Разница";
    ViewMatte: "Matte", "Маска";
    ViewHeat: "Probability", "Вероятность";
    ViewCompare: "A | B", "A | B";
    Raw: "Raw", "Исходная";
    Smoothed: "Smoothed", "Сглаженная";
    Added: "Added", "Добавлено";
    Removed: "Removed", "Убрано";
    Fit: "Fit", "Вписать";
    FitHint: "Fit the picture (F)", "Вписать кадр (F)";
    ActualHint: "One picture pixel on one screen pixel (0)", "Пиксель в пиксель (0)";
    Opacity: "Mask opacity", "Непрозрачность маски";
    Divider: "Divider", "Разделитель";
    MasksPending: "The network has not come to this frame yet", "Нейросеть ещё не дошла до этого кадра";
    SmoothingNow: "Smoothing…", "Сглаживается…";
    Partial: "Neighbouring frames are still to come", "Соседние кадры ещё не готовы";
    OutsideRange: "This frame lies outside the range", "Этот кадр вне диапазона";
    Outlines: "Outlines", "Контуры";
    MasksNone: "Press Stabilise to see masks", "Нажмите «Стабилизировать», чтобы увидеть маски";
    RawHeld: "Raw only", "Только исходная";
    Play: "Play", "Воспроизвести";
    Pause: "Pause", "Пауза";
    FirstFrame: "First frame", "Первый кадр";
    LastFrame: "Last frame", "Последний кадр";
    PreviousFrame: "Previous frame", "Предыдущий кадр";
    NextFrame: "Next frame", "Следующий кадр";
    PreviousPeak: "Previous flicker", "Предыдущее мерцание";
    NextPeak: "Next flicker", "Следующее мерцание";
    Timeline: "Timeline", "Шкала времени";
    Flicker: "Flicker", "Мерцание";
    FrameOf: "frame {} of {}", "кадр {} из {}";
    MarkIn: "In", "Начало";
    MarkOut: "Out", "Конец";
    MarkInHint: "Start the range here (I)", "Начать диапазон здесь (I)";
    MarkOutHint: "End the range here (O)", "Закончить диапазон здесь (O)";
    ClearRange: "Whole clip", "Весь клип";
    Iou: "IoU", "IoU";
    Dice: "Dice", "Dice";
    Instability: "Instability", "Нестабильность";
    PopRate: "Popping pixels", "Вспыхивающие пиксели";
    Area: "Area (px)", "Площадь (пикс.)";
    PlotMenu: "Plot menu", "Меню графика";
    SavePlot: "Save the plot", "Сохранить график";
    SavePlotAs: "Save as PNG, SVG or CSV…", "Сохранить как PNG, SVG или CSV…";
    SavePlotHint: "The ending decides: .png, .svg or .csv", "Решает расширение: .png, .svg или .csv";
    WarpedInstability: "Flicker (warped instability)", "Мерцание (с учётом движения)";
    WarpedHint: "Change from frame to frame that motion does not explain: 1 − IoU with the mask before, moved along the optical flow.", "Изменение от кадра к кадру, не объяснимое движением: 1 − IoU с предыдущей маской, сдвинутой по оптическому потоку.";
    InstabilityHint: "All change from frame to frame, true motion included: 1 − IoU with the mask before.", "Всё изменение от кадра к кадру, включая настоящее движение: 1 − IoU с предыдущей маской.";
    PlotHint: "Click to go to a frame, drag to pan, scroll to zoom, double-click to see all", "Щелчок — перейти к кадру, перетаскивание — сдвиг, колесо — масштаб, двойной щелчок — всё";
    PlotsEmpty: "Flicker curves appear here as masks are made", "Здесь появятся кривые мерцания, когда будут готовы маски";
    Summary: "Summary", "Итог";
    Less: "{} % less", "на {} % меньше";
    More: "{} % more", "на {} % больше";
    Lag: "Lag", "Запаздывание";
    LagFrames: "{} frames", "{} кадра";
    LagHint: "How late the smoothed masks are. Calm that is late is no gain.", "Насколько запаздывают сглаженные маски. Спокойствие ценой запаздывания — не выигрыш.";
    Agreement: "Agreement", "Согласие";
    AgreementHint: "IoU of raw and smoothed masks: how true the smoothed ones are to the network.", "IoU исходных и сглаженных масок: насколько сглаженные верны нейросети.";
    WorstFrames: "Worst frames", "Худшие кадры";
    SoFar: "so far", "пока";
    NotYet: "after the pass", "после прохода";
    Unknown: "–", "–";
    StageLoad: "Loading the network", "Загрузка нейросети";
    StageNetwork: "Network", "Нейросеть";
    StageMasks: "Masks", "Маски";
    StageExport: "Export", "Экспорт";
    Rate: "{} frames/s", "{} кадров/с";
    Left: "{} left", "осталось {}";
    Ready: "Ready", "Готово";
    Done: "Done", "Готово";
    Cancelled: "Cancelled; what the network has done is kept", "Отменено; сделанное нейросетью сохранено";
    ExportDone: "Exported {} files to {}", "Сохранено файлов: {}, папка {}";
    ExportTitle: "Export", "Экспорт";
    ExportWhat: "What to save", "Что сохранить";
    ExportTotal: "At least {}, about {}", "Не меньше {}, около {}";
    ExportSize: "At least {}; the time is not known yet", "Не меньше {}; время пока неизвестно";
    ExportEdges: "Soft edges, as sure as the network is", "Мягкие края по уверенности сети";
    ExportBackdropColour: "Backdrop", "Фон";
    ExportNames: "Names", "Имена";
    ExportNamesHint: "{clip}, {kind}, {class} and {frame} are filled in; empty for the usual layout", "Подставляются {clip}, {kind}, {class} и {frame}; пусто — обычные имена";
    ExportFolder: "Folder", "Папка";
    Replace: "Replace files that are there", "Заменять существующие файлы";
    ExportMattes: "Mattes", "Маски";
    ExportTransparency: "Cut-outs with transparency", "Вырезка с прозрачностью";
    ExportPictures: "Videos to look at", "Видео для просмотра";
    ExportData: "Data", "Данные";
    ExportRange: "{} of {} frames, {}", "Кадров: {} из {}, {}";
    Theme: "Theme", "Тема";
    ThemeSystem: "System", "Системная";
    ThemeDark: "Dark", "Тёмная";
    ThemeLight: "Light", "Светлая";
    Language: "Language", "Язык";
    Scale: "Scale", "Масштаб";
    CacheFolder: "Results are kept in", "Результаты хранятся в";
    ErrorTitle: "Something went wrong", "Что-то пошло не так";
    Copy: "Copy", "Копировать";
    Dismiss: "Dismiss", "Скрыть";
    QueueTitle: "Queue", "Очередь";
    QueueButton: "Queue {} / {}", "Очередь {} / {}";
    QueueEmpty: "Nothing is in the queue yet", "В очереди пока ничего нет";
    QueueHint: "Clips are done one after another with the settings of the moment when they came in; files go beside the clip",
        "Видео обрабатываются по очереди с настройками на момент добавления; файлы кладутся рядом с видео";
    QueueAddDropped: "Add {} dropped files", "Добавить перетащенные файлы: {}";
    QueueAddOpen: "Add this clip", "Добавить это видео";
    QueueHold: "Pause the queue", "Приостановить";
    QueueGoOn: "Start the queue", "Запустить";
    QueueUp: "Up", "Выше";
    QueueDown: "Down", "Ниже";
    QueueRetry: "Try again", "Повторить";
    QueueRemove: "Remove", "Убрать";
    QueueWaiting: "waits", "ждёт";
    QueueRunning: "begins", "начинается";
    QueueDone: "done", "готово";
    QueueFailed: "failed", "ошибка";
    QueueCancelled: "cancelled", "отменено";
    QueueUnsaved: "The queue can't be saved: {}", "Очередь не сохраняется: {}";
    Waiting: "{} more files wait: open the next", "Ещё файлов в очереди: {}. Открыть следующий";
    Loss: "Part of the file could not be read: {}", "Часть файла не прочитана: {}";
    KeyPlay: "Play or pause", "Воспроизведение или пауза";
    KeyShuttle: "Back, pause, forward", "Назад, пауза, вперёд";
    KeyStep: "One frame; with Shift ten", "Один кадр; с Shift десять";
    KeyEnds: "First, last frame", "Первый, последний кадр";
    KeyMarks: "In, out point", "Начало, конец диапазона";
    KeyPeaks: "Next, previous flicker peak", "Следующий, предыдущий пик мерцания";
    KeyViews: "View modes", "Режимы просмотра";
    KeyZoom: "Fit, one to one", "Вписать, один к одному";
    KeyRaw: "Hold: raw masks only", "Удерживать: только исходные маски";
    KeyUndo: "Undo, redo", "Отменить, вернуть";
    KeyExchange: "Settings A or B", "Настройки A или B";
    KeyPolygon: "Polygon: close, remove a corner", "Многоугольник: замкнуть, убрать угол";
    KeySave: "Save, save as", "Сохранить, сохранить как";
    KeyFiles: "Open, export, quit", "Открыть, экспорт, выход";
    KeyRun: "Stabilise, cancel", "Стабилизировать, отмена";
    KeyHelp: "This list", "Этот список";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text_and_its_places() {
        for &text in Text::ALL {
            let places = |language: Language| {
                let words = text.in_language(language);
                assert!(!words.is_empty(), "{text:?}");
                words.matches("{}").count()
            };
            assert_eq!(places(Language::English), places(Language::Russian), "{text:?}");
        }
    }
}
