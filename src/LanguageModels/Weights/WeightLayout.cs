using System.Text.RegularExpressions;
using FedKSeed.Checkpoints;
using FedKSeed.LanguageModels.Architectures;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>A piece of a <see cref="Parameter"/>: one tensor of the checkpoint.</summary>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="Rows">Its rows; of a vector, its elements.</param>
public readonly record struct ParameterPart(string Name, int Rows);

/// <summary>
/// What one operation of the forward pass takes: tensors of the checkpoint with as many columns, stacked by rows, so that
/// projections of the same input (query, key and value; gate and up) are one product; or their biases, end to end.
/// </summary>
public sealed class Parameter(int index, long offset, int columns, IReadOnlyList<ParameterPart> parts, bool isVector)
{
    /// <summary>Position in <see cref="WeightLayout.Parameters"/>.</summary>
    public int Index => index;

    /// <summary>First element in the flat buffer that holds all weights.</summary>
    public long Offset => offset;

    /// <summary>1 for a vector.</summary>
    public int Columns => columns;
    /// <summary>Rows of all parts; of a vector, its elements.</summary>
    public int Rows { get; } = parts.Sum(part => part.Rows);
    /// <summary>Elements.</summary>
    public long Count => (long)Rows * columns;
    /// <summary>The tensors, from the first row on.</summary>
    public IReadOnlyList<ParameterPart> Parts => parts;

    /// <summary>Whether the checkpoint has the shape [rows] rather than [rows, columns].</summary>
    public bool IsVector => isVector;
}

/// <summary>A tensor of the checkpoint and its place in the flat buffer.</summary>
/// <param name="Source">The tensor.</param>
/// <param name="Ordinal">t, its number in the counters of directions: docs/SPEC.md 2.</param>
/// <param name="Offset">Its first element in the buffer.</param>
public readonly record struct PlacedTensor(CheckpointTensor Source, int Ordinal, long Offset)
{
    /// <summary>Elements.</summary>
    public long Count => Source.ElementCount;
}

/// <summary>
/// Where every weight of a model lies in one flat buffer, in the order in which the forward pass asks for them. An
/// architecture adds its parameters; <see cref="Bind"/> then finds their tensors in a checkpoint.
/// </summary>
/// <param name="prefix">
/// What the names of the model's body begin with. A checkpoint that was saved from the body alone leaves it out, all through.
/// </param>
/// <param name="ignored">Tensors that such checkpoints may hold beside the weights, and the forward pass has no use for.</param>
public sealed class WeightLayout(string prefix, Regex? ignored = null)
{
    // A parameter starts on a cache line, which is also the widest vector.
    private const int Alignment = 16;

    private readonly List<Parameter> _parameters = [];
    private PlacedTensor[][] _tensors = [];

    /// <summary>In the order in which they were added.</summary>
    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>Elements of the flat buffer, padding included.</summary>
    public long Length { get; private set; }

    /// <summary>A vector of the checkpoint, of shape [<paramref name="length"/>].</summary>
    public Parameter AddVector(string name, int length) => AddVector(new ParameterPart(name, length));

    /// <summary>Vectors of the checkpoint, of shape [rows] each, end to end.</summary>
    public Parameter AddVector(params IReadOnlyList<ParameterPart> parts) => Add(columns: 1, parts, isVector: true);

    /// <summary>Matrices of the checkpoint, each of shape [rows, <paramref name="columns"/>].</summary>
    public Parameter AddMatrix(int columns, params IReadOnlyList<ParameterPart> parts) => Add(columns, parts, isVector: false);

    /// <summary>The tensors of a parameter; after <see cref="Bind"/>.</summary>
    public ReadOnlySpan<PlacedTensor> Tensors(Parameter parameter) => _tensors[parameter.Index];

    /// <summary>Finds the tensors in the checkpoint.</summary>
    /// <exception cref="InvalidDataException">Tensors are missing, misshapen or left over; the message names all of them.</exception>
    public void Bind(Checkpoint checkpoint)
    {
        List<string> faults = [];
        HashSet<string> used = [];
        var isBodyAlone = !checkpoint.Tensors.Any(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal));
        string NameOf(ParameterPart part) =>
            isBodyAlone && part.Name.StartsWith(prefix, StringComparison.Ordinal) ? part.Name[prefix.Length..] : part.Name;
        _tensors = [.. _parameters.Select(parameter => BindParameter(parameter, checkpoint, NameOf, used, faults))];
        try
        {
            if (checkpoint.TiedHead is { } tied)
                used.Add(tied.Head.Name);
        }
        catch (CheckpointException different)
        {
            used.Add(TiedHead.HeadName);
            faults.Add(different.Message);
        }
        var unused = checkpoint.Weights.Where(tensor => !used.Contains(tensor.Name) && ignored?.IsMatch(tensor.Name) != true);
        faults.AddRange(unused.Select(tensor => $"{tensor.Name} is not used by this architecture"));
        if (faults.Count > 0)
        {
            var message = $"{checkpoint.Folder}: the tensors do not fit {ModelConfig.FileName}: {string.Join("; ", faults)}.";
            throw new InvalidDataException(message);
        }
    }

    private Parameter Add(int columns, IReadOnlyList<ParameterPart> parts, bool isVector)
    {
        Parameter parameter = new(_parameters.Count, Length, columns, parts, isVector);
        _parameters.Add(parameter);
        Length += (parameter.Count + Alignment - 1) / Alignment * Alignment;
        return parameter;
    }

    private static PlacedTensor[] BindParameter(
        Parameter parameter, Checkpoint checkpoint, Func<ParameterPart, string> nameOf, HashSet<string> used, List<string> faults)
    {
        List<PlacedTensor> placed = [];
        var offset = parameter.Offset;
        foreach (var part in parameter.Parts)
        {
            var name = nameOf(part);
            used.Add(name);
            long[] shape = parameter.IsVector ? [part.Rows] : [part.Rows, parameter.Columns];
            if (!checkpoint.Contains(name))
                faults.Add($"{name} is missing");
            else if (checkpoint[name] is not { Ordinal: { } ordinal } source)
                faults.Add($"{name} is not a floating-point tensor");
            else if (!source.Shape.SequenceEqual(shape))
                faults.Add($"{name} has the shape [{string.Join(", ", source.Shape)}] instead of [{string.Join(", ", shape)}]");
            else
                placed.Add(new PlacedTensor(source, ordinal, offset));
            offset += (long)part.Rows * parameter.Columns;
        }
        return [.. placed];
    }
}
