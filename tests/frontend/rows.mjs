/** Rows as the back end packs them, written from `tb_gradascent/http_api.md`. */

const STOPPED = ["confidence", "max_steps", "stalled", "nonfinite", "none", "surest", "chance"];

/** The row of a sample made by `makeSample`, with `dropped` beside its own fields. */
export function rowOf(sample) {
  const { classes, strengths, targets } = sample;
  const names = [];
  const nameIndex = (name) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1);
  const numbers = [...sample.probabilities, ...strengths, ...(sample.bounds ?? []).flat()];
  const integers = [...classes];
  for (const target of targets) {
    numbers.push(target.gradient_norm, target.gradient_p99 ?? NaN);
    integers.push(target.index, target.direction === 1 ? 1 : 0, target.morphs.length);
    for (const morph of target.morphs) {
      numbers.push(morph.delta_norm, morph.largest_change ?? NaN, morph.mean_change ?? NaN);
      numbers.push(...morph.probabilities, ...morph.original_probabilities);
      integers.push(nameIndex(morph.name), morph.steps, STOPPED.indexOf(morph.stopped), morph.survived.length);
      integers.push(morph.survived.reduce((bits, held, check) => bits | (held << check), 0) >>> 0);
      integers.push(morph.judges.length, ...morph.predictions);
      for (const judge of morph.judges) {
        numbers.push(...judge.probabilities, ...judge.original_probabilities);
        integers.push(nameIndex(judge.name), ...judge.predictions);
      }
    }
  }
  const spreads = targets.flatMap(({ morphs }) => morphs.map(({ spread }) => spread));
  const hasSpread = spreads.some(Boolean);
  if (hasSpread) numbers.push(...spreads.flatMap((spread) => spread ?? [NaN, NaN]));
  const id = new TextEncoder().encode(sample.id ?? "");
  const namesText = new TextEncoder().encode(names.join("\n"));
  const { bytes, crc32c, codecs } = sample.payload;
  const texts = id.length + namesText.length + codecs.length;
  const length = Math.ceil((128 + 8 * numbers.length + 4 * integers.length + texts) / 8) * 8;
  const row = new DataView(new ArrayBuffer(length));
  let at = 0;
  const put = (kind, size, ...values) => {
    for (const value of values) {
      row[`set${kind}`](at, kind === "BigInt64" ? BigInt(value) : value, true);
      at += size;
    }
  };
  const flags = [sample.probe, sample.id !== null, sample.label !== null, sample.loss !== null];
  flags.push(sample.bounds !== null, hasSpread);
  put("Uint32", 4, length, sample.index);
  put("BigInt64", 8, sample.capture);
  put("Float64", 8, sample.wall_time, sample.step, sample.label ?? 0, sample.margin, sample.entropy);
  put("Float64", 8, sample.loss ?? 0, sample.dropped ?? 0, sample.every ?? 0);
  put("Uint32", 4, bytes, crc32c);
  put("Uint16", 2, sample.version, flags.reduce((sum, flag, position) => sum + (flag ? 1 << position : 0), 0));
  put("Uint32", 4, ...sample.shape, ...(sample.shape.length === 2 ? [0] : []));
  put("Uint32", 4, classes.length, strengths.length, targets.length, id.length);
  put("Uint32", 4, namesText.length, numbers.length);
  put("Float64", 8, ...numbers);
  put("Uint32", 4, ...integers);
  put("Uint8", 1, ...id, ...namesText, ...codecs);
  return new Uint8Array(row.buffer);
}

/** An answer of `records`: for each part `[first, end, unreadable, samples]`. */
export function recordsAnswer(parts) {
  const pieces = parts.flatMap(([first, end, unreadable, samples]) => {
    const rows = samples.map(rowOf);
    const length = rows.reduce((sum, row) => sum + row.length, 0);
    return [new Uint8Array(Uint32Array.of(first, end, unreadable, length).buffer), ...rows];
  });
  const answer = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    answer.set(piece, at);
    at += piece.length;
  }
  return answer.buffer;
}

/** An answer of `newest`: for each run its index, and its parts as for `recordsAnswer`. */
export function newestAnswer(runs) {
  return Buffer.concat(
    runs.flatMap(([index, parts]) => {
      const text = Buffer.from(JSON.stringify(index));
      const rows = Buffer.from(recordsAnswer(parts));
      return [Buffer.from(Uint32Array.of(text.length, rows.length).buffer), text, rows];
    }),
  );
}
