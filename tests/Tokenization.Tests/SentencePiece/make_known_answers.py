"""Ids and texts of Google's sentencepiece (Debian's python3-sentencepiece, 0.1.97) for the texts of tests/Vectors:
python3 make_known_answers.py > known_answers.json. tokenizer.model was made from the documentation of this repository with
spm_train --model_type=bpe --vocab_size=700 --byte_fallback --split_digits --allow_whitespace_only_pieces
  --normalization_rule_name=identity --remove_extra_whitespaces=false"""
import json, pathlib, sentencepiece, sys

here = pathlib.Path(__file__).resolve().parent
model = sentencepiece.SentencePieceProcessor(str(here / "tokenizer.model"))
texts = dict.fromkeys(known["text"] for known in json.loads((here.parents[1] / "Vectors/tokenizers/sentencepiece-bpe/encodings.json").read_text()))
json.dump([{"text": text, "ids": model.encode(text), "decoded": model.decode(model.encode(text))} for text in texts], sys.stdout, indent=1)
print()
