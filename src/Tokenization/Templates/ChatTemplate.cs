using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Jint;
using Jint.Native.Object;
using Jint.Runtime;

namespace FedKSeed.Tokenization.Templates;

/// <summary>
/// A model's own chat template: Jinja, as transformers renders it (trim_blocks, lstrip_blocks, loop controls, raise_exception, tojson,
/// strftime_now). The engine is npm's @huggingface/jinja, run by Jint, which gives a template nothing but its variables. Safe for use from
/// several threads, one at a time.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>Longest time of one rendering.</summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(10);

    /// <summary>Most that one rendering may allocate, in bytes.</summary>
    public const long MemoryLimit = 1L << 29;

    /// <summary>Deepest nesting of calls within the engine: some two hundred macros in one another.</summary>
    public const int DepthLimit = 2000;

    private const int StackSize = 256 << 20; // of a thread that renders, in bytes: what the deepest nesting wants, several times

    /// <summary>
    /// The day that <c>strftime_now</c> gives, always: two runs on the same data give the same tokens, whatever the day. It is the one that
    /// Llama's templates name themselves where they are given none.
    /// </summary>
    public static readonly DateTime Date = new(2024, 7, 26, 0, 0, 0, DateTimeKind.Utc);

    private static readonly Prepared<Acornima.Ast.Script> Script = Engine.PrepareScript(
        $"(function (module, exports) {{{Resource("jinja/index.cjs")}\n{Resource("python.js")}\n{Resource("render.js")}\n"
        + "return module; })({ exports: {} }, {})");

    private readonly Lock _engineIsFree = new();
    private readonly ObjectInstance _module; // holds on to its engine, which has nothing to dispose of
    private readonly string _place;

    /// <param name="source">The template.</param>
    /// <param name="place">Its file, for messages.</param>
    /// <param name="specialTokens">Such as bos_token: variables that every rendering has.</param>
    /// <exception cref="InvalidDataException">It is broken; the message names file and line.</exception>
    public ChatTemplate(string source, string place, IReadOnlyDictionary<string, string> specialTokens)
    {
        Source = source;
        _place = place;
        SpecialTokens = specialTokens;
        _module = new Engine(options => options
            .TimeoutInterval(TimeLimit)
            .LimitMemory(MemoryLimit)
            .LimitRecursion(DepthLimit)
            .RegexTimeoutInterval(TimeLimit)
            .LocalTimeZone(TimeZoneInfo.Utc)
            .Culture(CultureInfo.InvariantCulture)).Evaluate(Script).AsObject();
        _ = Run("compile", source);
    }

    /// <summary>The template as it stands in its file.</summary>
    public string Source { get; }

    /// <summary>Such as bos_token: variables that every rendering has.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens { get; }

    /// <summary>
    /// The text of a conversation. What a person wrote goes in as it is: a special token in it is a special token of the text.
    /// </summary>
    /// <param name="messages">A list of objects with role, content and whatever else the template looks at.</param>
    /// <param name="addGenerationPrompt">Whether the assistant's next turn is begun.</param>
    /// <param name="tools">Descriptions of functions; null for none.</param>
    /// <exception cref="InvalidDataException">
    /// The template refuses the conversation or cannot be rendered, or takes too long or too much; the message names file and line.
    /// </exception>
    public string Render(IEnumerable<JsonNode?> messages, bool addGenerationPrompt, JsonNode? tools = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonObject variables = new()
        {
            ["messages"] = new JsonArray([.. messages.Select(message => message?.DeepClone())]),
            ["add_generation_prompt"] = addGenerationPrompt,
            ["tools"] = tools?.DeepClone(),
            ["documents"] = null,
        };
        foreach ((var name, var token) in SpecialTokens)
            variables[name] = token;
        return Run("render", TemplateVariables.ToJson(variables), new Func<string, string>(format => TemplateDate.Format(Date, format)));
    }

    // On a thread of its own: an exhausted stack cannot be caught.
    private string Run(string function, params object[] arguments)
    {
        lock (_engineIsFree)
        {
            var text = "";
            ExceptionDispatchInfo? fault = null;
            Thread thread = new(
                () =>
                {
                    try
                    {
                        text = Invoke(function, arguments);
                    }
                    catch (Exception e)
                    {
                        fault = ExceptionDispatchInfo.Capture(e);
                    }
                },
                StackSize);
            thread.Start();
            thread.Join();
            fault?.Throw();
            return text;
        }
    }

    private string Invoke(string function, object[] arguments)
    {
        try
        {
            var result = _module.Engine.Invoke(_module.Get(function), arguments).AsArray();
            return result[2].IsNull() ? result[0].AsString() : throw new InvalidDataException($"{_place}:{result[1]}: {result[2]}");
        }
        catch (Exception e) when (e is TimeoutException or MemoryLimitExceededException or RecursionDepthOverflowException
            or JavaScriptException or RegexMatchTimeoutException)
        {
            throw new InvalidDataException(
                $"{_place}: the template was given up: {e.Message} "
                    + $"Bounds are {TimeLimit.TotalSeconds} s and {MemoryLimit >> 20} MB a rendering.", e);
        }
    }

    private static string Resource(string name)
    {
        using var stream = typeof(ChatTemplate).Assembly.GetManifestResourceStream(name)!;
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
