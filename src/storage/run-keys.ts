/** What the keys of all runs' files begin with. */
const RUN_PREFIX = 'run/';

/**
 * The keys of a run's files in the browser's database: `run/<id>/checkpoint/<step>/<file>`, `run/<id>/result/<file>`,
 * `run/<id>/logs/<file>` and `run/<id>/chats/<conversation>.json` are blobs, `run/<id>/manifest/<step>` says that a
 * checkpoint is there; `run/<id>/corrections` and `run/<id>/corrected` are lists (tray-records.ts). A format on disk.
 */
export function runKeys(id: string) {
  const all = `${RUN_PREFIX}${id}/`;
  return {
    /** What each of them begins with. */
    all,
    manifests: `${all}manifest/`,
    result: `${all}result/`,
    logs: `${all}logs/`,
    chats: `${all}chats/`,
    corrections: `${all}corrections`,
    corrected: `${all}corrected`,
    checkpoint: (step: number) => `${all}checkpoint/${step}/`,
    manifest: (step: number) => `${all}manifest/${step}`,
    chat: (id: string) => `${all}chats/${id}.json`,
  };
}
