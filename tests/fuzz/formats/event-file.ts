import { crc32c } from '../../../src/formats/event-file.ts';
import { readJson } from '../../../src/formats/json.ts';
import { parseTrainerState } from '../../../src/formats/trainer-state.ts';
import type { Prepared } from '../../../src/run/input/prepare.ts';
import { RunLog } from '../../../src/run/log.ts';
import { source } from '../../support/memory-folder.ts';
import { expectSame, expectTrue, type Format, INPUT } from '../format.ts';
import { trainerState } from './trainer-state.ts';

const FILE = 'trainer_state.json';

/**
 * TensorBoard's event files are written, never read. Their content comes from a checkpoint's log, whose keys may be
 * anything: the records must be framed and hold those names and values.
 */
export const eventFile: Format = {
  ...trainerState,
  name: 'event file',
  cut: [],
  async read(files) {
    const { log_history: history } = parseTrainerState(
      await readJson(source(`${INPUT}/${FILE}`, files[FILE]!)),
      `${INPUT}/${FILE}`,
    );
    const log = new RunLog({ inputs: { recipe: { training: {} } } } as unknown as Prepared, {
      history,
      times: history.map((_, i) => i),
      totalFlos: 0,
    });
    const [header, ...events] = readRecords(log.eventFile());
    expectTrue(
      header !== undefined && events.length === history.length,
      `${events.length} events of ${history.length} entries`,
    );
    expectSame(
      events.map(readScalars),
      history.map(({ step, ...scalars }) => ({
        step,
        scalars: Object.entries(scalars)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]) => [
            key.startsWith('eval_') ? key.replace('eval_', 'eval/') : `train/${key}`,
            Math.fround(value),
          ]),
      })),
      'read from the event file',
    );
  },
};

const masked = (data: Uint8Array): number => {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

/** The records of a TFRecord file, with their checksums verified. */
function readRecords(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer);
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = file.subarray(at + 12, at + 12 + length);
    expectTrue(
      view.getUint32(at + 8, true) === masked(file.subarray(at, at + 8)),
      'a length has another sum',
    );
    expectTrue(view.getUint32(at + 12 + length, true) === masked(data), 'a record has another sum');
    records.push(data);
    at += 16 + length;
  }
  return records;
}

type Field = [number: number, value: number | Uint8Array];

/** The fields of a protobuf message; numbers of fixed width as their bytes. */
function readFields(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < message.length) {
    const key = varint();
    const wireType = key & 7;
    if (wireType === 0) {
      fields.push([key >>> 3, varint()]);
    } else {
      const length = wireType === 2 ? varint() : wireType === 1 ? 8 : 4;
      fields.push([key >>> 3, message.subarray(at, (at += length))]);
    }
  }
  return fields;
}

/** The step and scalars of an Event. */
function readScalars(event: Uint8Array): { step: unknown; scalars: [tag: string, value: number][] } {
  const fields = new Map(readFields(event));
  const values = readFields(fields.get(5) as Uint8Array).map(
    ([, value]) => new Map(readFields(value as Uint8Array)),
  );
  return {
    step: fields.get(2),
    scalars: values.map((value) => {
      const bytes = (value.get(2) as Uint8Array).slice();
      return [
        new TextDecoder().decode(value.get(1) as Uint8Array),
        new DataView(bytes.buffer).getFloat32(0, true),
      ];
    }),
  };
}
