// What Hugging Face's tokenizers make of texts: node reference.cjs MODULES TOKENIZER.JSON TASK OUT
// TASK is JSON lines: {"text": …} is encoded and decoded, {"ids": […]} decoded, with "time": N encoded N times.
// OUT has a line for each: ids, all (decoded with special tokens), plain (without), cpu (seconds; the shortest of N).
const fs = require('fs'), path = require('path'), readline = require('readline');
const [modules, file, task, out] = process.argv.slice(2);
const { Tokenizer } = require(path.join(modules, '@anush008/tokenizers'));

async function main() {
  const tokenizer = Tokenizer.fromFile(file), results = fs.openSync(out, 'w');
  const encode = text => tokenizer.encode(text, null, { addSpecialTokens: false });
  for await (const line of readline.createInterface({ input: fs.createReadStream(task), crlfDelay: Infinity })) {
    const { text, ids, time } = JSON.parse(line);
    let cpu = null, found = ids;
    for (let i = 0; i < (time ?? 0); i++) {
      const before = process.cpuUsage();
      await encode(text);
      const spent = process.cpuUsage(before);
      cpu = Math.min(cpu ?? Infinity, (spent.user + spent.system) / 1e6);
    }
    if (text !== undefined) found = (await encode(text)).getIds();
    const result = { ids: found, all: await tokenizer.decode(found, false), plain: await tokenizer.decode(found, true), cpu };
    fs.writeSync(results, JSON.stringify(result) + '\n');
  }
}

main().catch(e => { console.error(e); process.exit(1); });
