import type { ChatVersion, StoredConversation } from '../../../engine/protocol/chat.ts';
import { isHidden } from './chat-state.ts';

/** A conversation as Markdown; names that are hidden in the page are hidden here too. */
export function conversationText(
  { system, turns }: Pick<StoredConversation, 'system' | 'turns'>,
  name: (version: ChatVersion) => string,
): string {
  const parts = turns.flatMap((turn) => [
    `**You:** ${turn.question}`,
    ...turn.answers.map(({ version, text }, i) => {
      const who = isHidden(turn) ? String.fromCharCode(65 + i) : name(version);
      return `**${who}:** ${text}`;
    }),
  ]);
  return [...(system === '' ? [] : [`**System:** ${system}`]), ...parts].join('\n\n') + '\n';
}
