// A table as a Parquet file: one row group, plain values without compression, every column optional.
// Source: Apache Parquet format 2.10 (parquet.thrift, Encodings.md); the metadata are in Thrift's compact protocol.
const parquetOf = (columns) => {
  const encode = (text) => new TextEncoder().encode(text);
  const varint = (value) => {
    const bytes = [];
    for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
    return [...bytes, value];
  };
  const int = (value) => varint(2 * value);  // zigzag of what is never negative
  const text = (value) => { const bytes = encode(value); return [...varint(bytes.length), ...bytes]; };
  const I32 = 5, I64 = 6, BINARY = 8, LIST = 9, STRUCT = 12;
  const list = (type, items) => [...(items.length < 15 ? [(items.length << 4) | type] : [0xf0 | type, ...varint(items.length)]), ...items.flat()];
  const struct = (fields) => {  // [[id, type, bytes], ...], ids rising
    let last = 0;
    const bytes = fields.flatMap(([id, type, value]) => { const head = ((id - last) << 4) | type; last = id; return [head, ...value]; });
    return [...bytes, 0];
  };
  const word = (value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
  const DOUBLE = 5, BYTES = 6;
  const count = columns[0]?.values.length ?? 0;
  const names = new Map();
  const parts = [encode("PAR1")];
  let offset = 4;
  const chunks = columns.map(({ name, numeric, values }) => {
    const many = (names.get(name) ?? 0) + 1;
    names.set(name, many);
    const unique = many > 1 ? `${name} (${many})` : name;
    const known = values.map((value) => value !== null && value !== undefined);
    const levels = known.flatMap((one, n) => one === known[n - 1] ? [] : [[n, one]])
      .flatMap(([start, one], n, runs) => [...varint(((runs[n + 1]?.[0] ?? count) - start) << 1), Number(one)]);
    const there = values.filter((_, n) => known[n]);
    const plain = numeric ? [...new Uint8Array(Float64Array.from(there).buffer)]
      : there.flatMap((value) => { const bytes = encode(value); return [...word(bytes.length), ...bytes]; });
    const page = [...word(levels.length), ...levels, ...plain];
    const head = struct([[1, I32, int(0)], [2, I32, int(page.length)], [3, I32, int(page.length)],
      [5, STRUCT, struct([[1, I32, int(count)], [2, I32, int(0)], [3, I32, int(3)], [4, I32, int(3)]])]]);
    parts.push(Uint8Array.from([...head, ...page]));
    const found = { name: unique, type: numeric ? DOUBLE : BYTES, at: offset, size: head.length + page.length };
    offset += found.size;
    return found;
  });
  const schema = [struct([[4, BINARY, text("schema")], [5, I32, int(columns.length)]]),
    ...chunks.map((one) => struct([[1, I32, int(one.type)], [3, I32, int(1)], [4, BINARY, text(one.name)],
      ...(one.type === BYTES ? [[6, I32, int(0)]] : [])]))];
  const metas = chunks.map((one) => struct([[2, I64, int(one.at)], [3, STRUCT, struct([[1, I32, int(one.type)],
    [2, LIST, list(I32, [int(0), int(3)])], [3, LIST, list(BINARY, [text(one.name)])], [4, I32, int(0)], [5, I64, int(count)],
    [6, I64, int(one.size)], [7, I64, int(one.size)], [9, I64, int(one.at)]])]]));
  const group = struct([[1, LIST, list(STRUCT, metas)], [2, I64, int(offset - 4)], [3, I64, int(count)]]);
  const footer = struct([[1, I32, int(1)], [2, LIST, list(STRUCT, schema)], [3, I64, int(count)], [4, LIST, list(STRUCT, [group])], [6, BINARY, text("qbench")]]);
  const file = new Uint8Array(offset + footer.length + 8);
  let at = 0;
  for (const part of [...parts, Uint8Array.from([...footer, ...word(footer.length), ...encode("PAR1")])]) { file.set(part, at); at += part.length; }
  return file;
};
