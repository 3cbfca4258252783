// Small tokenizers of our own, and what Hugging Face's tokenizers make of texts that once differed:
// npm install @anush008/tokenizers@0.6.0 && node make_known_answers.cjs > known_answers.json
const { Tokenizer } = require('@anush008/tokenizers');
const vocab = {}, add = token => { vocab[token] ??= Object.keys(vocab).length; };
['<unk>', ...'ab- 12', '𝟙', '𝟚', '𐐨', '😀', 'é', 'e', '\u0301', '\u0316', '\u0898', '\n'].forEach(add);
const merges = [['a', '-'], ['-', 'a'], ['-', '-'], ['a', 'b'], ['1', '2'], ['𝟙', '𝟚'], ['1', '𝟚'], [' ', 'a'], ['a', '1'], ['𐐨', '𐐨'], ['😀', '😀'], [' ', ' '], [' ', '😀'], ['e', '\u0301']];
merges.forEach(([a, b]) => add(a + b));
const split = (pattern, behavior, invert) => ({ type: 'Split', pattern, behavior, invert });
const steps = [];
for (const behavior of ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])
  for (const invert of [false, true]) steps.push(split({ String: '-' }, behavior, invert));
steps.push(split({ Regex: '\\p{N}{1,3}' }, 'Isolated', false), split({ Regex: ' ?[\\p{P}\\p{S}]+|\\p{L}+|\\s+(?!\\S)|\\s+' }, 'Removed', true),
  split({ Regex: '[A-Za-z𐐀-𐑏]+' }, 'Isolated', false), { type: 'Digits', individual_digits: true }, { type: 'Digits', individual_digits: false }, null);
const texts = ['a-a--a', '--a-', 'a12b', '𝟙𝟚1', 'a𝟙𝟚b 1𝟚', '𐐨𐐨a𐐨', 'a😀😀b', ' 😀 😀😀', '  a  ', 'e\u0301é', 'e\u0898\u0316\u0301', 'a<x>b<x> ', 'ccab', '\n\na'];

async function main() {
  const cases = [];
  for (const step of steps) {
    const file = {
      version: '1.0', truncation: null, padding: null, normalizer: { type: 'NFC' }, pre_tokenizer: step, post_processor: null, decoder: { type: 'Fuse' },
      added_tokens: [{ id: Object.keys(vocab).length, content: '<x>', single_word: false, lstrip: false, rstrip: true, normalized: false, special: true }],
      model: { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges },
    };
    const tokenizer = Tokenizer.fromString(JSON.stringify(file)), known = [];
    for (const text of texts) {
      const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
      known.push({ text, ids, decoded: await tokenizer.decode(ids, true) });
    }
    cases.push({ tokenizer: file, known });
  }
  console.log(JSON.stringify(cases));
}
main();
