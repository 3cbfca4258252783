using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Adapters;

/// <summary>An adapter and its tensors, named after the layers of the base that they belong to.</summary>
/// <param name="Adapter">What it is; its targets are said.</param>
/// <param name="Tensors">
/// Of Lora {layer}.lora_A.weight [r, in] and {layer}.lora_B.weight [out, r]; of Bias {layer}.bias [out]; of Prompt
/// <see cref="PromptName"/> [tokens, hidden].
/// </param>
public sealed record AdapterContent(Adapter Adapter, IReadOnlyList<TensorContent> Tensors)
{
    public const string SuffixA = ".lora_A.weight", SuffixB = ".lora_B.weight", SuffixBias = ".bias";

    public const string PromptName = "prompt_embeddings";

    /// <summary>An adapter as a federation begins with it (SPEC 13).</summary>
    /// <param name="adapter">Which; null targets are the architecture's usual ones.</param>
    /// <param name="poolKey">What its first values are made from.</param>
    /// <param name="source">The base.</param>
    /// <exception cref="FormatException">It cannot be added to this base; the message says what is in the way.</exception>
    public static AdapterContent Initial(Adapter adapter, ulong poolKey, Checkpoint source)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(source);
        var targets = adapter.Kind == AdapterKind.Lora ? adapter.Targets ?? LinearLayer.DefaultTargets(source) : null;
        var shapes = adapter.Kind switch
        {
            AdapterKind.Lora => LinearLayer.Targeted(source, targets!).SelectMany(layer => ShapesOf(layer, adapter.Rank)),
            AdapterKind.Bias => LinearLayer.WithoutBias(source)
                .Select(layer => new TensorShape(layer.Name + SuffixBias, TensorType.F32, [layer.Outputs])),
            AdapterKind.Prompt =>
                [new TensorShape(PromptName, TensorType.F32, [adapter.Tokens, LinearLayer.Embedding(source).Columns])],
            _ => throw new FormatException($"'{adapter.Kind}' is no adapter."),
        };
        var ordered = shapes.OrderBy(
            shape => Encoding.UTF8.GetBytes(shape.Name),
            Comparer<byte[]>.Create((one, other) => one.AsSpan().SequenceCompareTo(other)));
        var first = source.Base.Weights.Count;
        return new AdapterContent(
            adapter with { Targets = targets },
            [.. ordered.Select((shape, at) =>
                new TensorContent(shape.Name, shape.Type, shape.Shape, Values(shape, first + at, poolKey, source)))]);
    }

    /// <summary>An adapter in a version: the rebuilt values, in float32.</summary>
    /// <param name="adapter">What it is.</param>
    /// <param name="adapted">The base with the adapter's first values.</param>
    /// <param name="rebuilder">The version.</param>
    /// <param name="degreeOfParallelism">Threads to use; the bytes do not depend on it.</param>
    public static AdapterContent Rebuilt(Adapter adapter, Checkpoint adapted, Rebuilder rebuilder, int degreeOfParallelism = 1)
    {
        ArgumentNullException.ThrowIfNull(adapted);
        ArgumentNullException.ThrowIfNull(rebuilder);
        return new AdapterContent(adapter, [.. adapted.Adapter.Select(tensor =>
        {
            var bytes = new byte[tensor.ByteCount];
            rebuilder.Rebuild(
                tensor.Ordinal!.Value, 0, tensor.Type, tensor.Bytes(0, bytes.Length), bytes, degreeOfParallelism, tensor.Columns);
            return new TensorContent(tensor.Name, tensor.Type, tensor.Shape, bytes);
        })]);
    }

    /// <summary>Refuses an adapter whose tensors are not those of its kind on this base.</summary>
    /// <exception cref="FormatException">The message names the tensor.</exception>
    internal static void RequireFit(AdapterContent content, Checkpoint source)
    {
        var tensors = content.Tensors.ToDictionary(tensor => tensor.Name);
        if (content.Adapter.Kind == AdapterKind.Prompt)
        {
            long[] shape = [content.Adapter.Tokens, LinearLayer.Embedding(source).Columns];
            if (!tensors.Remove(PromptName, out var prompt) || !prompt.Shape.SequenceEqual(shape))
                throw new FormatException(
                    $"{PromptName} is {(prompt is null ? "missing" : $"[{string.Join(", ", prompt.Shape)}]")}: "
                        + $"the base '{source.Folder}' takes [{string.Join(", ", shape)}].");
        }
        else
        {
            foreach (var layer in LinearLayer.All(source))
            {
                if (tensors.Remove(layer.Name + SuffixA, out var a) && tensors.Remove(layer.Name + SuffixB, out var b))
                    RequireShapes(source, layer, a, b, content.Adapter.Rank);
            }
        }
        if (tensors.Count > 0 || content.Tensors.Count == 0)
            throw new FormatException(
                $"The base '{source.Folder}' has no linear layer for {tensors.Keys.FirstOrDefault() ?? "an adapter without tensors"}, or "
                    + "only one of its two matrices is there: it is the adapter of another model.");
    }

    internal static void RequireShapes(Checkpoint source, LinearLayer layer, TensorContent a, TensorContent b, int rank)
    {
        if (!a.Shape.SequenceEqual([rank, layer.Inputs]) || !b.Shape.SequenceEqual([layer.Outputs, rank]))
            throw new FormatException(
                $"{layer.Name}: A [{string.Join(", ", a.Shape)}] and B [{string.Join(", ", b.Shape)}] of the adapter do not fit the base "
                    + $"'{source.Folder}', whose layer takes [{rank}, {layer.Inputs}] and [{layer.Outputs}, {rank}].");
    }

    /// <summary>Whether the model of a folder may have biases, and has none: what an adapter of kind Bias is for.</summary>
    /// <exception cref="CheckpointException">Its config.json is no JSON.</exception>
    public static bool TakesBiases(string folder) => BaseConfig.Of(folder).TakesBiases;

    /// <summary>Whether a base stores the weights of linear layers [in, out], as GPT-2 does, and not [out, in].</summary>
    public static bool IsTransposed(Checkpoint source) => BaseConfig.Of(source).IsTransposed;

    /// <summary>Whether a tensor stays as it is: A of LoRA, unless it is tuned.</summary>
    internal static bool IsFrozen(Adapter? adapter, string name) =>
        adapter is { Kind: AdapterKind.Lora, TrainA: false } && name.EndsWith(SuffixA, StringComparison.Ordinal);

    /// <summary>
    /// First values of A [r, in] of LoRA: uniform between ±1/√in, as LoRA's authors and PEFT draw it, each from one word of 24 bits.
    /// </summary>
    internal static float[] UniformValues(ulong poolKey, int ordinal, long fanIn, long count)
    {
        var (key, bound) = (DerivedKey(poolKey), 1 / MathF.Sqrt(fanIn));
        var values = new float[count];
        for (long i = 0; i < count; i++)
            values[i] = ((int)Word(key, ordinal, i) >> 8) * (1f / (1 << 23)) * bound;
        return values;
    }

    private static IEnumerable<TensorShape> ShapesOf(LinearLayer layer, int rank) =>
    [
        new TensorShape(layer.Name + SuffixA, TensorType.F32, [rank, layer.Inputs]),
        new TensorShape(layer.Name + SuffixB, TensorType.F32, [layer.Outputs, rank]),
    ];

    private static byte[] Values(TensorShape shape, int ordinal, ulong poolKey, Checkpoint source)
    {
        var count = shape.Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
        var values = shape.Name == PromptName ? PromptRows(shape, ordinal, poolKey, source)
            : shape.Name.EndsWith(SuffixA, StringComparison.Ordinal) ? UniformValues(poolKey, ordinal, shape.Shape[1], count)
            : new float[count];
        var bytes = new byte[checked(values.Length * sizeof(float))];
        if (BitConverter.IsLittleEndian)
            MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes);
        else
            TensorType.F32.Narrow(values, bytes);
        return bytes;
    }

    /// <summary>Rows of the embedding of drawn tokens, as PEFT begins with the vocabulary.</summary>
    private static float[] PromptRows(TensorShape shape, int ordinal, ulong poolKey, Checkpoint source)
    {
        var (embedding, key, columns) = (LinearLayer.Embedding(source), DerivedKey(poolKey), (int)shape.Shape[1]);
        var values = new float[checked((int)shape.Shape[0] * columns)];
        for (var row = 0; row < shape.Shape[0]; row++)
        {
            var token = Word(key, ordinal, row) % embedding.Shape[0];
            embedding.Read(token * columns, values.AsSpan(row * columns, columns));
        }
        return values;
    }

    private static ulong DerivedKey(ulong poolKey)
    {
        Span<byte> key = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(key, poolKey);
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData([.. "fedkseed/adapter/1:"u8, .. key]));
    }

    private static uint Word(ulong key, int ordinal, long i)
    {
        var block = (ulong)i >> 2;
        return Philox4x32.Generate(new((uint)block, (uint)(block >> 32), 0, (uint)ordinal), key)[(int)(i & 3)];
    }
}
