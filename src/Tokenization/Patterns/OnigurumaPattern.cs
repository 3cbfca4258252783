using System.Runtime.InteropServices;

namespace FedKSeed.Tokenization.Patterns;

/// <summary>
/// A regular expression of Oniguruma, the engine that Hugging Face's tokenizers run: its syntax, its Unicode tables, and code points
/// where .NET's own Regex sees UTF-16 halves. Safe for use from several threads. Package Onigwrap brings the native library; its own
/// class copies the text for each match, which makes long texts quadratic, so that the library is called directly.
/// </summary>
internal sealed unsafe partial class OnigurumaPattern : SafeHandle
{
    // Backtracking steps of one search, after which a hostile pattern is given up: about a second. Those of one match are limited
    // by the library itself, to ten million.
    private const ulong RetryLimit = 200_000_000;

    private const string Library = "libonigwrap";
    private const int Mismatch = -1;

    // OnigEncodingUTF16_LE and the syntax that the library has by default, which is what the reference takes.
    private static readonly (nint Encoding, nint Syntax) Dialect = Initialise();

    private readonly string _text;

    /// <exception cref="FormatException">The expression is broken; the message says where and why.</exception>
    public OnigurumaPattern(string text) : base(0, ownsHandle: true)
    {
        _text = text;
        fixed (char* start = text)
        {
            var code = New(out handle, start, start + text.Length, 0, Dialect.Encoding, Dialect.Syntax, 0);
            if (code != 0)
                throw new FormatException($"the expression '{text}' is broken: {Message(code)}.");
        }
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>
    /// Matches within a part of a text, of which they see nothing else, from left to right. As in the reference, an empty match right
    /// behind another is none.
    /// </summary>
    /// <exception cref="InvalidDataException">The expression takes too many steps on this text.</exception>
    public IEnumerable<Range> Matches(string text, int start, int end)
    {
        using SafeRegion region = new();
        int at = start, last = -1;
        while (at <= end && Search(region, text, start, end, at) is { } match)
        {
            (var from, var to) = match;
            if (from == to && to == last)
            {
                at = to + (to + 1 < end && char.IsSurrogatePair(text[to], text[to + 1]) ? 2 : 1);
                continue;
            }
            at = last = to;
            yield return from..to;
        }
    }

    protected override bool ReleaseHandle()
    {
        Free(handle);
        return true;
    }

    private (int From, int To)? Search(SafeRegion region, string text, int start, int end, int at)
    {
        fixed (char* first = text)
        {
            var code = Search(this, first + start, first + end, first + at, first + end, region, 0);
            if (code == Mismatch)
                return null;
            if (code < 0)
                throw new InvalidDataException(
                    $"the expression '{_text}' gives up on a text of {end - start} characters: {Message(code)}.");
            (var from, var to) = region.Whole;
            return (start + from, start + to);
        }
    }

    private static string Message(int code) => Marshal.PtrToStringUTF8(MessageOf(code)) ?? $"error {code}";

    private static (nint, nint) Initialise()
    {
        var library = NativeLibrary.Load(Library, typeof(OnigurumaPattern).Assembly, null);
        var encoding = NativeLibrary.GetExport(library, "OnigEncodingUTF16_LE");
        var code = InitialiseLibrary(&encoding, 1);
        if (code != 0)
            throw new InvalidOperationException($"Oniguruma does not start: {Message(code)}.");
        _ = SetRetryLimit(RetryLimit);
        return (encoding, Marshal.ReadIntPtr(NativeLibrary.GetExport(library, "OnigDefaultSyntax")));
    }

    [LibraryImport(Library, EntryPoint = "onig_initialize")]
    private static partial int InitialiseLibrary(nint* encodings, int count);

    [LibraryImport(Library, EntryPoint = "onig_set_retry_limit_in_search")]
    private static partial int SetRetryLimit(ulong limit);

    [LibraryImport(Library, EntryPoint = "onig_new")]
    private static partial int New(
        out nint pattern, char* start, char* end, uint options, nint encoding, nint syntax, nint error);

    [LibraryImport(Library, EntryPoint = "onig_free")]
    private static partial void Free(nint pattern);

    [LibraryImport(Library, EntryPoint = "onig_search")]
    private static partial int Search(
        OnigurumaPattern pattern, char* text, char* end, char* start, char* range, SafeRegion region, uint options);

    [LibraryImport(Library, EntryPoint = "onig_region_new")]
    private static partial Region* NewRegion();

    [LibraryImport(Library, EntryPoint = "onig_region_free")]
    private static partial void FreeRegion(nint region, int withItself);

    [LibraryImport(Library, EntryPoint = "onig_error_code_to_format")]
    private static partial nint MessageOf(int code);

    // OnigRegion; positions are in bytes.
    [StructLayout(LayoutKind.Sequential)]
    private struct Region
    {
        public int Allocated;
        public int Count;
        public int* Starts;
        public int* Ends;
    }

    /// <summary>Where a match and its groups lie, as the library keeps them.</summary>
    private sealed class SafeRegion : SafeHandle
    {
        public SafeRegion() : base(0, ownsHandle: true) => handle = (nint)NewRegion();

        public override bool IsInvalid => handle == 0;

        public (int From, int To) Whole => (((Region*)handle)->Starts[0] / sizeof(char), ((Region*)handle)->Ends[0] / sizeof(char));

        protected override bool ReleaseHandle()
        {
            FreeRegion(handle, 1);
            return true;
        }
    }
}
