/** The archive's first file: what the run is. */
export const RECORD = 'retune-run.json';
/** What an archive may hold; below 4 GB a zip needs no extension that few programs read. */
export const LIMITS = { entries: 10_000, path: 200, bytes: 4e9 } as const;
const STEP = '(?:0|[1-9]\\d{0,8})';
const NAME = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,149}';
/** Place and name of a run's files, which lie in the archive as they do in the browser's database. */
export const FILE = new RegExp(`^((?:result|logs|chats|checkpoint/${STEP})/)(${NAME})$`);
/** What is known of a checkpoint, by its step. */
export const ARCHIVED_MANIFEST = new RegExp(`^manifest/(${STEP})$`);
/** Lists of corrections: those that wait at the run, and those that it was trained on. */
export const CORRECTIONS = /^(?:corrections|corrected)$/;
