import type { Folder } from './byte-source.ts';
import { shorten } from './quote.ts';
import { UserError } from './user-error.ts';

/** File names that browsers, huggingface_hub, curl and aria2 use until a download is complete. */
export const UNFINISHED = /\.(?:incomplete|crdownload|part|partial|download|aria2|tmp)$/i;

/** The message for a folder that holds such a file. */
export async function unfinishedDownload(folder: Folder): Promise<UserError | undefined> {
  const file = (await folder.list()).find((name) => UNFINISHED.test(name));
  if (file === undefined) {
    return undefined;
  }
  return new UserError(
    `${folder.name}: ${shorten(file)} is still being downloaded, or its download broke off; let it finish, or start it again, and then choose the folder.`,
  );
}
