// Runs in the scope of jinja/index.cjs, behind it: where Jinja in Python does otherwise.

// White space: U+001C to U+001F and U+0085 are, U+FEFF is not.
const white = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const [atStart, atEnd] = [new RegExp(`^[${white}]+`), new RegExp(`[${white}]+$`)];
String.prototype.trimStart = function () { return this.replace(atStart, ''); };
String.prototype.trimEnd = function () { return this.replace(atEnd, ''); };
String.prototype.trim = function () { return this.trimStart().trimEnd(); };

// A text's items are its code points; the engine's own iterator keeps \r\n and letters with their marks together.
function codePoints(text) {
  const points = [];
  for (let i = 0; i < text.length; i += points[points.length - 1].length) points.push(String.fromCodePoint(text.codePointAt(i)));
  return points;
}

String.prototype[Symbol.iterator] = function () { return codePoints(String(this))[Symbol.iterator](); };

// strip and its kin take the characters to strip; lengths are of code points.
function stripped(text, characters, start, end) {
  if (characters === undefined || characters instanceof NullValue)
    return start ? end ? text.trim() : text.trimStart() : text.trimEnd();
  if (!(characters instanceof StringValue)) throw new Error('strip arg must be None or str');
  const all = codePoints(text), which = new Set(codePoints(characters.value));
  let from = 0, to = all.length;
  while (start && from < to && which.has(all[from])) from++;
  while (end && to > from && which.has(all[to - 1])) to--;
  return all.slice(from, to).join('');
}

const builtins = Object.getOwnPropertyDescriptor(StringValue.prototype, 'builtins').get;
Object.defineProperty(StringValue.prototype, 'builtins', {
  get() {
    if (this._builtins === undefined) {
      const all = builtins.call(this);
      for (const [name, start, end] of [['strip', true, true], ['lstrip', true, false], ['rstrip', false, true]])
        all.set(name, new FunctionValue(args => new StringValue(stripped(this.value, args[0], start, end))));
      all.set('length', new IntegerValue(codePoints(this.value).length));
      all.set('capitalize', new FunctionValue(() => {
        const [first = '', ...rest] = codePoints(this.value);
        return new StringValue(first.toUpperCase() + rest.join('').toLowerCase());
      }));
    }
    return this._builtins;
  },
});

// Numbers: 5.0 is not 5, and a long whole number keeps its digits. Those that need it come as { [marker]: text }.
const marker = '\u0000number';

class ExactInteger extends IntegerValue {
  constructor(text) {
    super(Number(text));
    this.text = text;
  }
  toString() { return this.text; }
}

function exactNumbers(key, value) {
  const text = value?.[marker];
  if (text === undefined) return value;
  return /[.eE]/.test(text) ? new FloatValue(Number(text)) : new ExactInteger(text);
}

const convert = convertToRuntimeValues;
convertToRuntimeValues = value => value instanceof RuntimeValue ? value : convert(value);

function float(number) {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? 'nan' : number > 0 ? 'inf' : '-inf';
  if (number === 0) return Object.is(number, -0) ? '-0.0' : '0.0';
  const [digits, exponent] = number.toExponential().split('e').map((part, i) => i === 0 ? part : Number(part));
  if (exponent < -4 || exponent >= 16)
    return `${digits}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent).toString().padStart(2, '0')}`;
  const text = exponent < 0 ? number.toFixed(Math.max(0, digits.replace(/[-.]/g, '').length - 1 - exponent)) : number.toString();
  return text.includes('.') ? text : `${text}.0`;
}

FloatValue.prototype.toString = function () { return float(this.value); };
BooleanValue.prototype.toString = function () { return this.value ? 'True' : 'False'; };
NullValue.prototype.toString = () => 'None';
UndefinedValue.prototype.toString = () => '';

const json = toJSON;
toJSON = (input, ...rest) =>
  input instanceof FloatValue || input instanceof ExactInteger ? input.toString() : json(input, ...rest);

// None is written where it is the value of an expression; statements have it for none.
Interpreter.prototype.evaluateBlock = function (statements, environment) {
  let result = '';
  for (const statement of statements) {
    const value = this.evaluate(statement, environment);
    if (!(value instanceof NullValue) || statement instanceof Expression) result += value.toString();
  }
  return new StringValue(result);
};

function isNumber(value) {
  return value instanceof IntegerValue || value instanceof FloatValue || value instanceof BooleanValue;
}

function equal(left, right) {
  if (isNumber(left) && isNumber(right)) return Number(left.value) === Number(right.value);
  if (left.type !== right.type) return false;
  if (left instanceof NullValue || left instanceof UndefinedValue) return true;
  if (left instanceof ArrayValue)
    return left.value.length === right.value.length && left.value.every((item, i) => equal(item, right.value[i]));
  if (left instanceof ObjectValue)
    return left.value.size === right.value.size
      && Array.from(left.value).every(([key, value]) => right.value.has(key) && equal(value, right.value.get(key)));
  return left.value === right.value;
}

// Text and what is none are not added but joined by ~; equality is of what things hold.
const binary = Interpreter.prototype.evaluateBinaryExpression;
Interpreter.prototype.evaluateBinaryExpression = function (node, environment) {
  const operator = node.operator.value;
  if (operator === 'and' || operator === 'or') return binary.call(this, node, environment);
  const left = this.evaluate(node.left, environment), right = this.evaluate(node.right, environment);
  switch (operator) {
    case '==':
      return new BooleanValue(equal(left, right));
    case '!=':
      return new BooleanValue(!equal(left, right));
    case '~':
      return new StringValue(left.toString() + right.toString());
    case '+':
      if (left instanceof StringValue !== right instanceof StringValue && ![left, right].some(one => one instanceof UndefinedValue))
        throw new Error(`text and ${(left instanceof StringValue ? right : left).type} cannot be added`);
      break;
    case 'in':
    case 'not in':
      if (right instanceof ArrayValue)
        return new BooleanValue(right.value.some(item => equal(item, left)) === (operator === 'in'));
      break;
  }
  return binary.call(this, { ...node, operator: node.operator, left, right }, environment);
};

// Filters of text take whatever can be written as text.
const ofText = new Set(['trim', 'upper', 'lower', 'title', 'capitalize', 'string']);
const filter = Interpreter.prototype.applyFilter;
Interpreter.prototype.applyFilter = function (operand, node, environment) {
  const isWritten = isNumber(operand) || operand instanceof NullValue || operand instanceof UndefinedValue;
  return filter.call(this, isWritten && ofText.has(node.value) ? new StringValue(operand.toString()) : operand, node, environment);
};

