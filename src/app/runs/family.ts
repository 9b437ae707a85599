import type { FamilyMember } from '../../engine/protocol/comparison.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { counted } from '../../formats/words.ts';
import type { TreeNode } from '../elements/family-tree.ts';

/** The family as trees: each under what it was trained from; those whose parent is missing are roots. */
export function familyTrees(family: readonly FamilyMember[], runs: readonly RunRecord[]): TreeNode[] {
  const known = new Set(family.map(({ key }) => key));
  const placed = new Set<string>();
  const grow = (member: FamilyMember): TreeNode => {
    placed.add(member.key);
    const { key, name } = member;
    const run = runs.find(({ id }) => id === member.run);
    // Hashes cannot form a cycle, but an imported record may claim one.
    const children = growAll(family.filter(({ parent }) => parent === key));
    return {
      key,
      badge: badge(member),
      name,
      detail: detail(member, run),
      choosable: run !== undefined,
      children,
    };
  };
  const growAll = (members: readonly FamilyMember[]): TreeNode[] =>
    members.flatMap((member) => (placed.has(member.key) ? [] : [grow(member)]));
  const roots = growAll(family.filter(({ parent }) => parent === undefined || !known.has(parent)));
  return [...roots, ...growAll(family)];
}

const badge = ({ kind, generation }: FamilyMember): string => (kind === 'base' ? 'Base' : `V${generation}`);

function detail({ kind, hash = '' }: FamilyMember, run: RunRecord | undefined): string {
  const short = hash.slice(0, 8);
  if (kind === 'base') {
    return `base model · ${short}`;
  }
  if (!run) {
    return `adapter from elsewhere · ${short}`;
  }
  const { status, step, maxSteps, created } = run;
  const day = new Date(created).toLocaleDateString([], { dateStyle: 'medium' });
  return status === 'finished'
    ? `${counted(maxSteps, 'step')} · ${day}`
    : `unfinished, step ${step} of ${maxSteps} · ${day}`;
}
