// Runs in the scope of jinja/index.cjs, behind it: what ChatTemplate calls, and the line of whatever fails.
let lineNow = 1;

// The line of each token: tokens come in the order of the source, which the lexer changes around them.
function linesOf(source, tokens) {
  const bare = source.replace(/\{#[\s\S]*?#\}/g, comment => comment.replace(/[^\n]/g, ' '));
  let at = 0, line = 1, counted = 0;
  return tokens.map(token => {
    const value = token.type === 'Text' ? token.value.trim() : token.value;
    const found = token.type === 'Comment' || value === '' ? -1 : bare.indexOf(value, at);
    if (found >= 0) {
      at = found + value.length;
      for (; counted < found; counted++)
        if (bare[counted] === '\n') line++;
    }
    return line;
  });
}

function compile(source) {
  const options = { lstrip_blocks: true, trim_blocks: true };
  let tokens;
  try {
    tokens = tokenize(source, options);
  } catch (e) {
    e.line = brokenLine(source, options);
    throw e;
  }
  const lines = linesOf(source, tokens);
  const watched = new Proxy(tokens, {
    get(target, index) {
      if (typeof index === 'string' && index in lines) lineNow = lines[index];
      return target[index];
    },
  });
  try {
    return parse(watched);
  } catch (e) {
    e.line = lineNow;
    throw e;
  }
}

// The last line from which on no beginning of the source is whole.
function brokenLine(source, options) {
  const lines = source.split('\n');
  for (let count = lines.length; count > 0; count--) {
    try {
      tokenize(lines.slice(0, count - 1).join('\n'), options);
      return count;
    } catch { /* the fault is further up */ }
  }
  return 1;
}

function located(Node) {
  return class extends Node {
    constructor(...parts) {
      super(...parts);
      this.line = lineNow;
    }
  };
}

MemberExpression = located(MemberExpression);
CallExpression = located(CallExpression);
Identifier = located(Identifier);
BinaryExpression = located(BinaryExpression);
FilterExpression = located(FilterExpression);
TestExpression = located(TestExpression);
UnaryExpression = located(UnaryExpression);
SliceExpression = located(SliceExpression);
SelectExpression = located(SelectExpression);
Ternary = located(Ternary);

const evaluate = Interpreter.prototype.evaluate;
Interpreter.prototype.evaluate = function (statement, environment) {
  if (statement instanceof RuntimeValue) return statement;
  if (statement?.line === undefined) return evaluate.call(this, statement, environment);
  try {
    return evaluate.call(this, statement, environment);
  } catch (e) {
    if (e instanceof Error && e.line === undefined) e.line = statement.line;
    throw e;
  }
};

// JSON in, so that a message is what it was in its file.
function render(program, json, date) {
  const environment = new Environment();
  setupGlobals(environment);
  for (const [key, value] of Object.entries(JSON.parse(json, exactNumbers))) environment.set(key, value);
  environment.variables.set('strftime_now', convertToRuntimeValues(date));
  return new Interpreter(environment).run(program).value;
}

// [text, line, fault]: exceptions carry their line no further than this.
function attempt(action) {
  try {
    return [action(), 0, null];
  } catch (e) {
    if (e instanceof Error) return [null, e.line ?? 0, e.message];
    throw e;
  }
}

let compiled = null;
module.compile = source => attempt(() => { compiled = compile(source); return ''; });
module.render = (json, date) => attempt(() => render(compiled, json, date));
