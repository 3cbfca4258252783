using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using TorchSharp;

namespace FedKSeed.Tests;

/// <summary>Weights that count how many sets each product of a pass came in; not those of the output layer.</summary>
internal sealed class SetsOfProducts(IWeights weights) : IWeights
{
    public List<long> Products { get; } = [];

    int IWeights.Sets => weights.Sets;

    ComputeType IWeights.Type => weights.Type;

    ModelDevice IWeights.Device => weights.Device;

    torch.Tensor IWeights.Vector(Parameter parameter) => weights.Vector(parameter);

    torch.Tensor IWeights.Rows(Parameter parameter, torch.Tensor ids) => weights.Rows(parameter, ids);

    torch.Tensor IWeights.Multiply(torch.Tensor x, Parameter matrix) => Counted(weights.Multiply(x, matrix));

    torch.Tensor IWeights.MultiplyTransposed(torch.Tensor x, Parameter matrix) => Counted(weights.MultiplyTransposed(x, matrix));

    IEnumerable<(long FirstRow, torch.Tensor Product)> IWeights.MultiplyByRows(torch.Tensor x, Parameter matrix) =>
        weights.MultiplyByRows(x, matrix);

    private torch.Tensor Counted(torch.Tensor product)
    {
        Products.Add(product.shape[0]);
        return product;
    }

    /// <summary>How many products come before the first of two sets, after which every other is of two: those of a frozen trunk.</summary>
    public int OfTrunk()
    {
        var first = Products.TakeWhile(sets => sets == 1).Count();
        Assert.All(Products.Skip(first), sets => Assert.Equal(2, sets));
        return first;
    }
}
