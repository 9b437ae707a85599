import type { CardLineage } from './card-lineage.ts';
import type { RunIdentity } from './checkpoint/identity.ts';

/** What the family tree needs of a run. */
export interface FamilyRun {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  /** Names of its inputs. */
  inputs: { base: string; source: string | undefined };
  identity: Pick<RunIdentity, 'base' | 'source'>;
  /** Hash of the resulting adapter; undefined until there is one. */
  resultHash: string | undefined;
  /** Hash of the checkpoint that was taken as its result. */
  takenHash?: string | undefined;
  /** The run of this browser that its source came from. */
  sourceRun?: string | undefined;
  /** What the card of a source from elsewhere says of where that comes from. */
  sourceLineage?: CardLineage | undefined;
}

/** A base, an adapter from elsewhere, or the result of a run. */
export interface FamilyMember {
  key: string;
  kind: 'base' | 'adapter' | 'run';
  name: string;
  /** SHA-256 of the base or the adapter; undefined for an unfinished run. */
  hash?: string | undefined;
  /** The run that made it. */
  run?: string | undefined;
  /** Key of its parent: an adapter, another run, or the base for a fresh adapter. */
  parent: string | undefined;
  /** Generations from the base: the base is 0, V1 is 1, what was made from it is 2. */
  generation: number;
}

/**
 * The family tree of runs, by hash: a run descends from the run whose result it started from. Bases come first,
 * parents before their children, otherwise the oldest first.
 */
export function familyTree(runs: readonly FamilyRun[]): FamilyMember[] {
  const oldestFirst = runs.toSorted((a, b) => a.created - b.created);
  const bases = new Map<string, FamilyMember>();
  const adapters = new Map<string, FamilyMember>();
  const made = new Map<string, FamilyMember>();
  for (const { identity, inputs } of oldestFirst) {
    if (!bases.has(identity.base)) {
      bases.set(identity.base, {
        key: `base/${identity.base}`,
        kind: 'base',
        name: inputs.base,
        hash: identity.base,
        parent: undefined,
        generation: 0,
      });
    }
  }
  // A parent is older than its child, so it is already in the tree.
  for (const run of oldestFirst) {
    const { identity, resultHash } = run;
    const base = bases.get(identity.base)!;
    const parent =
      identity.source === 'none'
        ? base
        : (parentRun(run, { oldestFirst, made }) ?? adapterOf(run, base, adapters, { oldestFirst, made }));
    made.set(run.id, {
      key: `run/${run.id}`,
      kind: 'run',
      name: run.name,
      hash: resultHash,
      run: run.id,
      parent: parent.key,
      generation: parent.generation + 1,
    });
  }
  return parentsFirst([...bases.values(), ...adapters.values(), ...made.values()]);
}

/** The same members, each moved behind its parent where it comes before it. */
function parentsFirst(members: readonly FamilyMember[]): FamilyMember[] {
  const byKey = new Map(members.map((member) => [member.key, member]));
  const placed = new Set<FamilyMember>();
  const place = (member: FamilyMember): void => {
    const parent = byKey.get(member.parent ?? '');
    if (parent && !placed.has(parent)) {
      place(parent);
    }
    placed.add(member);
  };
  members.forEach(place);
  return [...placed];
}

interface Runs {
  oldestFirst: readonly FamilyRun[];
  made: ReadonlyMap<string, FamilyMember>;
}

/** The run that made the source: by its hash or, for one of its checkpoints, by the run's own record. */
function parentRun(run: FamilyRun, runs: Runs): FamilyMember | undefined {
  return madeFrom(run.identity, runs) ?? runs.made.get(run.sourceRun ?? '');
}

/** The run whose result, or what was taken as that, has the hash `source`, over the same base. */
function madeFrom({ base, source }: CardLineage, { oldestFirst, made }: Runs): FamilyMember | undefined {
  const same = oldestFirst.find(
    ({ id, identity, resultHash, takenHash }) =>
      made.has(id) && [resultHash, takenHash].includes(source) && identity.base === base,
  );
  return made.get(same?.id ?? '');
}

/** An adapter that no run here made. Its parent is what its card names, or else the base. */
function adapterOf(
  { identity, inputs, sourceLineage }: Pick<FamilyRun, 'identity' | 'inputs' | 'sourceLineage'>,
  base: FamilyMember,
  adapters: Map<string, FamilyMember>,
  runs: Runs,
): FamilyMember {
  const key = `adapter/${identity.base}/${identity.source}`;
  const found = adapters.get(key);
  if (found) {
    return found;
  }
  const parent = parentByCard(identity, sourceLineage, base, adapters, runs);
  const adapter: FamilyMember = {
    key,
    kind: 'adapter',
    name: inputs.source ?? 'adapter',
    hash: identity.source,
    parent: parent.key,
    generation: parent.generation + 1,
  };
  adapters.set(key, adapter);
  return adapter;
}

function parentByCard(
  identity: FamilyRun['identity'],
  card: CardLineage | undefined,
  base: FamilyMember,
  adapters: Map<string, FamilyMember>,
  runs: Runs,
): FamilyMember {
  // A card is believed no further than it can be: an adapter of another base, or its own parent, is none.
  if (!card || card.base !== identity.base || ['none', identity.source].includes(card.source)) {
    return base;
  }
  const inputs = { base: base.name, source: `adapter ${card.source.slice(0, 8)}` };
  return madeFrom(card, runs) ?? adapterOf({ identity: card, inputs }, base, adapters, runs);
}
